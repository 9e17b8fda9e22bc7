"""Reads Excel workbooks and Parquet files with polars."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from ..errors import DataError
from ..extras import missing_extra_message
from .record import Record, TableRow

logger = logging.getLogger(__name__)

_BATCH_ROWS = 50_000


def read_xlsx(path: str) -> Iterator[TableRow]:
    """Yield the rows of a workbook's first sheet that are not empty, as text.

    Args:
        path: the workbook; it is read into memory.

    Raises:
        DataError: it cannot be read, or polars or fastexcel is missing.
    """
    try:
        import fastexcel
        from polars import DataFrame
    except ImportError as error:
        raise _missing(path, error) from None
    try:
        workbook = fastexcel.read_excel(path)
        sheets = workbook.sheet_names
        sheet = workbook.load_sheet(0, header_row=None, skip_rows=0, dtypes="string")
        table: DataFrame = sheet.to_polars()
    except (fastexcel.FastExcelError, OSError) as error:
        raise _unreadable(path, "an Excel workbook", error) from None
    if len(sheets) > 1:
        logger.info(f"{path}: reading the sheet {sheets[0]!r}, the first of {len(sheets)}")
    for line, row in enumerate(table.iter_rows(), start=1):
        fields = [value or "" for value in row]
        if any(fields):
            yield fields, line


def read_parquet(path: str) -> Iterator[Record]:
    """Yield the rows of a Parquet file as objects, a batch in memory at a time.

    Raises:
        DataError: it cannot be read, or polars is missing.
    """
    try:
        import polars
    except ImportError as error:
        raise _missing(path, error) from None
    try:
        table = polars.scan_parquet(path, glob=False)
        count = table.select(polars.len()).collect().item()
        for start in range(0, count, _BATCH_ROWS):
            rows = table.slice(start, _BATCH_ROWS).collect().iter_rows(named=True)
            for line, fields in enumerate(rows, start + 1):
                yield Record(fields, line)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, "Parquet", error) from None


def _missing(path: str, error: ImportError) -> DataError:
    return DataError(f"{path}: {missing_extra_message(error.name, 'train')}")


def _unreadable(path: str, kind: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())
    return DataError(f"{path} cannot be read as {kind}: {reason:.200}")
