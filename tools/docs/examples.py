"""Runs the shell examples of a page, and writes what they print below them.

    python tools/docs/examples.py [--check] PAGE...

Every ```sh block is run, in one shell for all of a page's blocks, in the current folder. If a
```text block follows, its content becomes the block's output, without the middle of a long one.
`--check` runs the examples and leaves the pages alone. A command that fails ends the run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import textwrap
from pathlib import Path

EXAMPLE = re.compile(r"^```sh\n(.*?)^```\n(\n?```text\n.*?^```\n)?", re.DOTALL | re.MULTILINE)
MARKER = "\x1eend of example"
WIDTH = 100  # of an output line
LAST_LINES = 10  # of an output that is too long
MAX_LINES = {"README.md": 12}
DEFAULT_MAX_LINES = 40


def run_examples(commands: list[str]) -> list[str]:
    """Run commands in one shell and return what each printed, to both outputs."""
    script = "\n".join([f"{command}\necho '{MARKER}'" for command in commands])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    outputs = done.stdout.split(f"{MARKER}\n")
    if done.returncode:
        failed = commands[len(outputs) - 1].strip()
        sys.exit(f"exit status {done.returncode} of the example\n{failed}\n\n{outputs[-1]}")
    return outputs[: len(commands)]


def shorten(output: str, lines: int) -> str:
    """Return an output of at most so many lines, wrapped, without its middle."""
    wrapped = [
        part
        for line in output.strip("\n").splitlines()
        for part in textwrap.wrap(line, WIDTH, break_on_hyphens=False) or [""]
    ]
    if len(wrapped) <= lines:
        return "\n".join(wrapped)
    first = lines - LAST_LINES - 1
    return "\n".join([*wrapped[: max(first, 1)], "…", *wrapped[-LAST_LINES:]])


def write_outputs(page: str, outputs: list[str], lines: int) -> str:
    """Return a page whose ```text blocks below examples hold their output."""
    remaining = iter(outputs)

    def write(match: re.Match[str]) -> str:
        output = next(remaining)
        if match[2] is None:
            return match[0]
        gap = "\n" if match[2].startswith("\n") else ""
        return f"```sh\n{match[1]}```\n{gap}```text\n{shorten(output, lines)}\n```\n"

    return EXAMPLE.sub(write, page)


def main() -> None:
    """Run the examples of each page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    parser.add_argument("--check", action="store_true", help="do not write the outputs")
    options = parser.parse_args()
    for path in options.pages:
        page = path.read_text("utf-8")
        outputs = run_examples([match[1] for match in EXAMPLE.finditer(page)])
        if not options.check:
            lines = MAX_LINES.get(path.name, DEFAULT_MAX_LINES)
            path.write_text(write_outputs(page, outputs, lines), "utf-8")


if __name__ == "__main__":
    main()
