"""Measures a site in headless Chromium: bytes transferred, time to first answer, time per key.

    python -m bench.export.web RUN TEXTS

Exports RUN within 300 kB, writes the site, opens it with an empty cache from a server on loopback
that records requests, and types the first 200 texts of the CSV file TEXTS word by word. Writes
`results/web.json` and `results/web-phone.png`, and prints a Markdown table. The answer to a key is
timed from the change of the text to the changed page, with a text of that length and on average.
"""

import contextlib
import csv
import functools
import gzip
import http.server
import os
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench.reporting import BIN, RESULTS, print_table, run_command, write_json

BUDGET, ROUNDS, TEXTS = "300kB", 5, 200
LENGTH = 20  # words of a text whose time is reported
EXAMPLE = "The jokes are tired, but the leads are so charming that I didn't mind."
TYPE_TEXTS = """async (texts) => {
  const field = document.getElementById("text"), latency = document.getElementById("latency");
  const times = [];
  for (const text of texts) {
    const words = text.split(" ");
    for (let count = 1; count <= words.length; count++) {
      const answered = new Promise((resolve) => {
        const observer = new MutationObserver(() => resolve(observer.disconnect()));
        observer.observe(latency, { childList: true });
      });
      const start = performance.now();
      field.value = words.slice(0, count).join(" ");
      field.dispatchEvent(new Event("input"));
      await answered;
      times.push([count, performance.now() - start]);
    }
  }
  return times;
}"""


class RecordingHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and records the requested paths."""

    requested: list[str]

    def do_GET(self) -> None:
        """Record the path, then serve it."""
        self.requested.append(self.path.lstrip("/") or "index.html")
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder on loopback; yield its address and the list of requested paths."""
    requested: list[str] = []
    handler = type("Handler", (RecordingHandler,), {"requested": requested})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", requested
        server.shutdown()


def measure(
    browser: Browser, site: Path, texts: list[str]
) -> tuple[float, list[tuple[int, float]], list[str]]:
    """Open a site with an empty cache and type.

    Returns:
        The time from navigation to the first answer in ms, by the page's clock; words and time of
        each answer to a key; the paths.
    """
    with serve(site) as (address, requested), contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        first_answer = float(page.evaluate("document.documentElement.dataset.ready"))
        page.get_by_text("available offline", exact=True).wait_for()
        paths = list(dict.fromkeys(requested))
        return first_answer, page.evaluate(TYPE_TEXTS, texts), paths


def take_screenshot(browser: Browser, site: Path, text: str, path: Path) -> None:
    """Save the page as a phone shows it, with a text typed and explained."""
    phone = browser.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=1)
    with serve(site) as (address, _), contextlib.closing(phone) as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        page.fill("#text", text)
        page.wait_for_selector("#words mark")
        page.get_by_text("available offline", exact=True).wait_for()
        page.screenshot(path=path, full_page=True)


def count_bytes(site: Path, requested: list[str]) -> dict[str, tuple[int, int]]:
    """Return bytes and gzipped bytes of the requested files: of the page and of the bundle."""
    totals: dict[str, list[int]] = {"page": [0, 0], "bundle": [0, 0]}
    for path in requested:
        content = (site / path).read_bytes()
        total = totals["bundle" if "/bundle/" in path else "page"]
        total[0] += len(content)
        total[1] += len(gzip.compress(content, 6))
    return {name: (plain, compressed) for name, (plain, compressed) in totals.items()}


def main() -> None:
    """Write the site, measure it and print the table."""
    run, csv_file = Path(sys.argv[1]), Path(sys.argv[2])
    with csv_file.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:TEXTS]
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        bundle, site = Path(folder) / "bundle", Path(folder) / "site"
        convert = BIN / "glovelite-convert"
        run_command([convert, "export", run, "--out", bundle, "--max-size", BUDGET])
        run_command([convert, "site", bundle, "--out", site])
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=sandbox)
        rounds = [measure(browser, site, texts) for _ in range(ROUNDS)]
        take_screenshot(browser, site, EXAMPLE, RESULTS / "web-phone.png")
        sizes, version = count_bytes(site, rounds[0][2]), browser.version
    first_answer = statistics.median(first for first, _, _ in rounds)
    answers = [answer for _, answered, _ in rounds for answer in answered]
    times = sorted(time for _, time in answers)
    long = [time for words, time in answers if words == LENGTH]
    key = {"median": statistics.median(times), "p99": times[int(0.99 * len(times))]}
    key["long"] = statistics.median(long)
    results = {"chromium": version, "bytes": sizes, "first_answer": first_answer, "key": key}
    write_json(RESULTS / "web.json", results)
    sizes["both"] = tuple(map(sum, zip(sizes["page"], sizes["bundle"])))
    rows = [[name, *(f"{size:,}" for size in sizes[name])] for name in sizes]
    print_table(
        [f"SST-2 within {BUDGET}, Chromium {version}", "bytes", "compressed by the server"], rows
    )
    print(
        f"\nFirst answer, nothing cached, server on loopback: {first_answer:,.0f} ms, golden "
        f"texts included\n(median of {ROUNDS}). From a key to its answer: {key['median']:.2f} ms, "
        f"median,\n{key['p99']:.1f} ms, 99th percentile, over {len(times):,} typed words; "
        f"{key['long']:.2f} ms, median,\nwith {LENGTH} words."
    )


if __name__ == "__main__":
    main()
