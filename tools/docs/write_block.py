"""Writes standard input into README.md between the markers of a block.

    some-command | python bench/readme.py NAME

replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`. Input that is not a Markdown
table already is fenced as a screen.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def replace_block(page: str, name: str, content: str) -> str:
    """Give the page with a block's content replaced."""
    content = content.strip("\n")
    if not content.startswith("|"):
        content = f"```text\n{content}\n```"
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    page, count = re.subn(pattern, lambda m: f"{m[1]}{content}\n{m[2]}", page, flags=re.DOTALL)
    if count != 1:
        sys.exit(f"README.md has {count} blocks called {name}, expected 1")
    return page


if __name__ == "__main__":
    written = sys.stdin.read()  # first: the page may change while the command is at work
    if not written.strip():
        sys.exit(f"nothing was measured: README.md keeps its block {sys.argv[1]}")
    README.write_text(replace_block(README.read_text("utf-8"), sys.argv[1], written), "utf-8")
