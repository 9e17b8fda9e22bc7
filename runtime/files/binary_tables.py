"""Reads Excel and Parquet, in a process with limits of memory and time.

The libraries for them are native code: a changed byte can abort their process, and 2 kB can ask for
gigabytes. The process is kept for the next file, because it takes a quarter of a second to start.
"""

from __future__ import annotations

import atexit
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, cast

from ..errors import DataError
from ..extras import missing_extra_message
from .columns import Record, TableRow
from .table_reader import Request

logger = logging.getLogger(__name__)

SCRIPT = Path(__file__).with_name("table_reader.py")
# Limits of a process, which grow with the file: tables of text are compressed.
BASE_BYTES, BASE_SECONDS = 1 << 30, 60
MEMORY_PER_BYTE, ROWS_PER_BYTE, BYTES_PER_SECOND = 32, 100, 1 << 18
MAX_THREADS = 4  # of polars: each takes memory
#: What makes honest files of a format too large.
_HINTS = {"xlsx": ": delete cells far below or right of the table"}
#: What values of Parquet are besides Python's own types.
_VALUES = {("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")} | {
    ("decimal", "Decimal"),
    ("zoneinfo", "ZoneInfo"),
}


def read_xlsx(path: str) -> Iterator[TableRow]:
    """Yield the rows of a workbook's first sheet that are not empty, as text.

    Raises:
        DataError: it cannot be read within the limits, or polars or fastexcel is missing.
    """
    rows = _read(path, "xlsx", "an Excel workbook", ("fastexcel", "polars"))
    sheets = next(rows)
    if len(sheets) > 1:
        logger.info(f"{path}: reading the sheet {sheets[0]!r}, the first of {len(sheets)}")
    yield from rows


def read_parquet(path: str) -> Iterator[Record]:
    """Yield the rows of a Parquet file as objects.

    Raises:
        DataError: it cannot be read within the limits, or polars is missing.
    """
    for fields, line in _read(path, "parquet", "Parquet", ("polars",)):
        yield Record(fields, line)


def _read(path: str, format_: str, kind: str, libraries: tuple[str, ...]) -> Iterator[Any]:
    """Yield what `table_reader` does for a file."""
    for library in libraries:
        if find_spec(library) is None:
            raise DataError(f"{path}: {missing_extra_message(library, 'train')}")
    size = Path(path).stat().st_size
    memory, output = (BASE_BYTES + size * factor for factor in (MEMORY_PER_BYTE, ROWS_PER_BYTE))
    seconds = BASE_SECONDS + size // BYTES_PER_SECOND
    reader = _take_reader()
    try:
        yield from reader.read(Request(path, format_, memory, seconds, output))
    except _UnreadableError as error:
        raise DataError(f"{path} cannot be read as {kind}: {error}") from None
    except (OSError, EOFError, pickle.UnpicklingError):
        raise DataError(
            f"{path} cannot be read as {kind}: its reader {reader.describe_exit()}, as happens "
            f"with damaged files, and with those that take more than {memory >> 20:,} MB or "
            f"{seconds:,} s{_HINTS.get(format_, '')}"
        ) from None
    finally:
        reader.release()


class _UnreadableError(Exception):
    """A reader says why a file cannot be read."""


class _Reader:
    """A process that reads one file after the other."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._is_idle = False
        self._process = subprocess.Popen(
            [sys.executable, SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                "POLARS_MAX_THREADS": str(MAX_THREADS),
                "RUST_BACKTRACE": "0",  # which takes memory when there is none
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "PYTHONSAFEPATH": "1",
            },
        )

    @property
    def is_usable(self) -> bool:
        """Whether the process runs, and is this one's child."""
        return self.owner == os.getpid() and self._process.poll() is None

    def read(self, request: Request) -> Iterator[Any]:
        """Yield what is read; raise _UnreadableError, or what pickle and pipes raise."""
        requests = cast(IO[bytes], self._process.stdin)
        pickle.dump(tuple(request), requests)
        requests.flush()
        answers = cast(IO[bytes], self._process.stdout)
        while not isinstance(answer := _Answers(answers).load(), str):
            yield from answer
        self._is_idle = True
        if answer:
            raise _UnreadableError(f"{answer:.200}")

    def describe_exit(self) -> str:
        """Return how the process ended."""
        self._process.kill()  # it may live where its answers cannot be read
        status = self._process.wait()
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"exited with status {status}"

    def release(self) -> None:
        """Keep the process for the next file, or end it if it is not done with this one."""
        if self._is_idle and not _idle:
            self._is_idle = False
            _idle.append(self)
        else:
            self.close()

    def close(self) -> None:
        """End the process."""
        if self.owner == os.getpid():
            self._process.kill()
            self._process.communicate()


class _Answers(pickle.Unpickler):
    """Reads values, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _VALUES:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no value")


_idle: list[_Reader] = []


def _take_reader() -> _Reader:
    with suppress(IndexError):  # there is none, or another thread took it
        if (reader := _idle.pop()).is_usable:
            return reader
        reader.close()
    return _Reader()


@atexit.register
def _close_idle() -> None:
    while _idle:
        _idle.pop().close()
