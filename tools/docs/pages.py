"""The pages of the documentation, and the places in them that commands write."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEASURED = "docs/measured.json"  # block -> when it was written, and by which version


def documentation_pages(root: Path = ROOT) -> list[Path]:
    """Return all pages, README.md first."""
    names = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
    return [*(root / name for name in names), *sorted((root / "docs").glob("*.md"))]


def replace_block(page: str, name: str, content: str) -> str:
    """Return a page with the content of the block `<!-- name -->` replaced.

    Content that is not a Markdown table is put into a fenced code block.
    """
    content = content.strip("\n")
    if not content.startswith("|"):
        content = f"```text\n{content}\n```"
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    return re.sub(pattern, lambda m: f"{m[1]}{content}\n{m[2]}", page, flags=re.DOTALL)


def write_block(name: str, content: str, root: Path = ROOT) -> None:
    """Replace a block in the page that has it, and record its version, commit and date.

    Exits if not exactly one page has it.
    """
    if not content.strip():
        sys.exit(f"the command printed nothing: block {name} stays unchanged")
    pages = documentation_pages(root)
    holders = [path for path in pages if f"<!-- {name} -->\n" in path.read_text("utf-8")]
    if len(holders) != 1:
        found = ", ".join(path.name for path in holders) or "none"
        sys.exit(f"expected one page with a block named {name}, found {found}")
    (path,) = holders
    path.write_text(replace_block(path.read_text("utf-8"), name, content), "utf-8")
    _record(name, root / MEASURED)


def _record(name: str, path: Path) -> None:
    """Record version, commit and date of a block in a JSON file."""
    measured = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    (version,) = re.findall(
        r'__version__ = "(.+)"', (ROOT / "runtime/version.py").read_text("utf-8")
    )
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    measured[name] = {"version": version, "commit": commit, "date": date.today().isoformat()}
    path.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", "utf-8")
