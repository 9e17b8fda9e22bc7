"""Replaces a generated block of README.md with standard input.

    some-command | python tools/docs/write_block.py NAME

replaces the text between `<!-- NAME -->` and `<!-- /NAME -->`. Input that is not a Markdown table
is put into a fenced code block.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def replace_block(page: str, name: str, content: str) -> str:
    """Return the page with a block's content replaced; exit if it has no such block."""
    content = content.strip("\n")
    if not content.startswith("|"):
        content = f"```text\n{content}\n```"
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    page, count = re.subn(pattern, lambda m: f"{m[1]}{content}\n{m[2]}", page, flags=re.DOTALL)
    if count != 1:
        sys.exit(f"README.md has {count} blocks named {name}, expected 1")
    return page


if __name__ == "__main__":
    content = sys.stdin.read()  # before the page is read: the command takes minutes
    if not content.strip():
        sys.exit(f"the command printed nothing: block {sys.argv[1]} of README.md stays unchanged")
    README.write_text(replace_block(README.read_text("utf-8"), sys.argv[1], content), "utf-8")
