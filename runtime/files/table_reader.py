"""Reads Excel and Parquet with polars: a script, which `binary_tables.py` runs in a process.

Standard input has requests, standard output gets answers, both pickled. The answers to a request
are lists of rows, and at last a string: empty, or why the rest cannot be read.
"""

from __future__ import annotations

import copyreg
import faulthandler
import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

BATCH_ROWS = 50_000  # that polars holds
ANSWER_ROWS = 16  # that are Python's objects at a time; texts may have megabytes
WRITE_BYTES = 1 << 18


class Request(NamedTuple):
    """A file to read.

    Attributes:
        format: `xlsx` or `parquet`.
        memory: bytes that the process may take besides what it has.
        seconds: of CPU time, and of any time between two answers.
        output: bytes of all rows.
    """

    path: str
    format: str
    memory: int
    seconds: int
    output: int


def read_xlsx(path: str) -> Iterator[Any]:
    """Yield the names of the sheets, then the rows of the first one as text, with their lines."""
    import fastexcel

    workbook = fastexcel.read_excel(path)
    yield workbook.sheet_names
    sheet = workbook.load_sheet(0, header_row=None, skip_rows=0, dtypes="string")
    for line, row in enumerate(sheet.to_polars().iter_rows(buffer_size=ANSWER_ROWS), start=1):
        fields = [value or "" for value in row]
        if any(fields):
            yield fields, line


def read_parquet(path: str) -> Iterator[Any]:
    """Yield the rows of a file as objects, with their numbers."""
    import polars

    table = polars.scan_parquet(path, glob=False)
    count = table.select(polars.len()).collect().item()
    for start in range(0, count, BATCH_ROWS):
        batch = table.slice(start, BATCH_ROWS).collect()
        rows = batch.iter_rows(named=True, buffer_size=ANSWER_ROWS)
        yield from ((fields, line) for line, fields in enumerate(rows, start + 1))


READERS = {"xlsx": read_xlsx, "parquet": read_parquet}


def answer(request: Request) -> Iterator[bytes]:
    """Yield the answers to a request."""
    try:
        _limit(request)
        rows, size = READERS[request.format](request.path), 0
        while some := list(islice(rows, ANSWER_ROWS)):
            message = pickle.dumps(some)
            size += len(message)
            if size > request.output:
                raise ValueError(f"its rows have more than {request.output:,} bytes")
            yield message
        yield pickle.dumps("")
    except MemoryError:
        yield pickle.dumps(f"its rows take more than {request.memory >> 20:,} MB")
    except Exception as error:
        yield pickle.dumps(" ".join(str(error).split()) or type(error).__name__)


def _limit(request: Request) -> None:
    """Limit the memory and CPU time of this process, where the system can."""
    try:
        import resource
        from pathlib import Path

        pages = int(Path("/proc/self/statm").read_text("ascii").split()[5])
    except (ImportError, OSError):  # Windows; macOS
        return
    taken, used = pages * resource.getpagesize(), int(time.process_time())
    for limit, value in (
        (resource.RLIMIT_DATA, taken + request.memory),
        (resource.RLIMIT_CPU, used + request.seconds),
    ):
        hard = resource.getrlimit(limit)[1]
        with suppress(ValueError):  # a lower limit is in force
            resource.setrlimit(limit, (value, hard))


def main() -> None:
    """Answer requests until standard input is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side ends this process
    copyreg.pickle(ZoneInfo, lambda zone: (ZoneInfo, (zone.key,)))  # by default it is `getattr`
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    with suppress(EOFError):
        while True:
            request = Request(*pickle.load(sys.stdin.buffer))
            waiting = bytearray()
            faulthandler.dump_traceback_later(request.seconds, exit=True)  # native code may hang
            for message in answer(request):
                waiting += message
                if len(waiting) >= WRITE_BYTES:
                    faulthandler.cancel_dump_traceback_later()  # the other side may take its time
                    output.write(waiting)
                    waiting.clear()
                    faulthandler.dump_traceback_later(request.seconds, exit=True)
            faulthandler.cancel_dump_traceback_later()
            output.write(waiting)
            output.flush()


if __name__ == "__main__":
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # modules beside this one are not those of these names
    main()
