"""Measures a site in a headless Chromium: bytes on the wire, time to the first answer, to a key's.

    python bench/web.py RUN TEXTS

Exports RUN within 300 kB, makes the site, opens it with an empty cache from a server on loopback
that tells what it sent, and types the first 200 texts of the CSV file TEXTS, a word at a time.
Writes `results/web.json` and prints the README's table.
"""

import contextlib
import csv
import functools
import gzip
import http.server
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

RESULTS = Path(__file__).parent / "results"
BIN = Path(sys.executable).parent
BUDGET, ROUNDS, TEXTS = "300kB", 5, 200
SHOWN = "The jokes are tired, but the leads are so charming that I didn't mind."
TYPE = """async (texts) => {
  const field = document.getElementById("text"), shown = document.getElementById("latency");
  const taken = [];
  for (const text of texts) {
    const words = text.split(" ");
    for (let count = 1; count <= words.length; count++) {
      const answered = new Promise((resolve) => {
        const observer = new MutationObserver(() => resolve(observer.disconnect()));
        observer.observe(shown, { childList: true });
      });
      const begun = performance.now();
      field.value = words.slice(0, count).join(" ");
      field.dispatchEvent(new Event("input"));
      await answered;
      taken.push(performance.now() - begun);
    }
  }
  return taken;
}"""


class Counting(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and notes the paths it was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        """Note the path, then serve it."""
        self.asked.append(self.path.lstrip("/") or "index.html")
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path):
    """Serve a folder on loopback; give its address and the list of paths asked for."""
    asked: list[str] = []
    handler = type("Handler", (Counting,), {"asked": asked})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()


def measure(browser: Browser, site: Path, texts: list[str]) -> tuple[float, list[float], list[str]]:
    """Open a site with an empty cache and type; give both times in ms, and what was asked for."""
    with served(site) as (address, asked), contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        first = float(page.evaluate("performance.mark('now').startTime"))
        before = list(dict.fromkeys(asked))
        page.get_by_text("kept for offline use", exact=True).wait_for()
        return first, page.evaluate(TYPE, texts), before


def photograph(browser: Browser, site: Path, text: str, path: Path) -> None:
    """Draw the page as a phone shows it, a text typed and explained."""
    phone = browser.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=1)
    with served(site) as (address, _), contextlib.closing(phone) as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        page.fill("#text", text)
        page.wait_for_selector("#words mark")
        page.get_by_text("kept for offline use", exact=True).wait_for()
        page.screenshot(path=path, full_page=True)


def weigh(site: Path, asked: list[str]) -> dict[str, tuple[int, int]]:
    """Give bytes, and bytes as a server compresses them, of what was asked for, by folder."""
    found: dict[str, list[int]] = {"page": [0, 0], "bundle": [0, 0], "engine": [0, 0]}
    for path in asked:
        content = (site / path).read_bytes()
        part = path.split("/")[0] if path.split("/")[0] in found else "page"
        found[part][0] += len(content)
        found[part][1] += len(gzip.compress(content, 6))
    return {name: (each[0], each[1]) for name, each in found.items()}


def main() -> None:
    """Make the site, measure it and print the table."""
    run, texts = Path(sys.argv[1]), Path(sys.argv[2])
    with texts.open(encoding="utf-8", newline="") as file:
        typed = [row["text"] for row in csv.DictReader(file)][:TEXTS]
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        bundle, site = Path(folder) / "bundle", Path(folder) / "site"
        convert = [str(BIN / "glovelite-convert")]
        export = ["export", str(run), "--out", str(bundle), "--max-size", BUDGET]
        subprocess.run([*convert, *export], check=True, stdout=sys.stderr)
        command = [*convert, "site", str(bundle), "--out", str(site)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=sandbox)
        rounds = [measure(browser, site, typed) for _ in range(ROUNDS)]
        photograph(browser, site, SHOWN, RESULTS / "web-phone.png")
        sizes, version = weigh(site, rounds[0][2]), browser.version
    first = statistics.median(each[0] for each in rounds)
    taken = sorted(time for each in rounds for time in each[1])
    keys = {"median": statistics.median(taken), "p99": taken[int(0.99 * len(taken))]}
    results = {"chromium": version, "bytes": sizes, "first_answer": first, "key": keys}
    (RESULTS / "web.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    ours = [sum(sizes[part][kind] for part in ("page", "bundle")) for kind in (0, 1)]
    print(f"| SST-2 within {BUDGET}, Chromium {version} | bytes | compressed by the server |")
    print("|---|---|---|")
    for name in ("page", "bundle"):
        print(f"| {name} | {sizes[name][0]:,} | {sizes[name][1]:,} |")
    print(f"| both, without the engine | {ours[0]:,} | {ours[1]:,} |")
    print(f"| engine | {sizes['engine'][0]:,} | {sizes['engine'][1]:,} |\n")
    print(
        f"First answer, nothing cached, server on loopback: {first:,.0f} ms, golden texts and all"
    )
    print(
        f"(median of {ROUNDS}). A key to its answer on the page: {keys['median']:.1f} ms, median,"
    )
    print(f"{keys['p99']:.1f} ms, 99th percentile, over {len(taken):,} words typed.")


if __name__ == "__main__":
    main()
