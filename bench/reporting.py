"""What the benchmarks share: result files, Markdown tables, progress, and running commands."""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from glovelite.runtime.files.output import atomic_file

BENCH = Path(__file__).parent
RESULTS = BENCH / "results"
BIN = Path(sys.executable).parent  # glovelite-train, glovelite-convert


def log(line: str) -> None:
    """Print progress to standard error; the table goes to standard output."""
    print(line, file=sys.stderr, flush=True)


def read_json(path: Path, default: Any = None) -> Any:
    """Return the content of a JSON file, or the default if the file does not exist."""
    return json.loads(path.read_text("utf-8")) if path.is_file() else default


def write_json(path: Path, content: Any) -> None:
    """Replace a JSON file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read_jsonl(path: Path) -> list[Any]:
    """Return the records of a JSONL file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_jsonl(path: Path, records: Iterable[Any]) -> None:
    """Replace a JSONL file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.writelines((json.dumps(record) + "\n").encode() for record in records)


def table_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a Markdown table, a string per line."""
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (header, *rows)]
    return [lines[0], "|---" * len(header) + "|", *lines[1:]]


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print("\n".join(table_lines(header, rows)))


def run_command(
    command: Sequence[object], output: Path | None = None, stdin: IO[str] | None = None
) -> None:
    """Run a command, logging it and its duration.

    Args:
        command: program and arguments.
        output: receives standard output, only if the command succeeds; None logs it.
        stdin: the command's standard input.

    Raises:
        CalledProcessError: the command failed.
    """
    arguments = [str(part) for part in command]
    log(f"$ {' '.join(arguments)}")
    start = time.monotonic()
    if output is None:
        subprocess.run(arguments, check=True, stdin=stdin, stdout=sys.stderr)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(output) as file:
            subprocess.run(arguments, check=True, stdin=stdin, stdout=file)
    log(f"  {time.monotonic() - start:.0f} s")
