"""Rows as tables that Parquet can hold, and rows of tables as objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

MAX_LEVELS = 32  # of lists and objects in a value; readers refuse some hundred
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which JSON can escape
_CONVERSION_ERRORS = (pa.ArrowException, ValueError, TypeError, OverflowError)


def make_table(objects: Sequence[dict[str, Any]]) -> pa.Table:
    """Return objects as a table of the columns of `make_column`.

    Example:
        >>> make_table([{"id": 1}, {"id": "x"}]).column("id").to_pylist()
        ['1', '"x"']
    """
    names = dict.fromkeys(name for fields in objects for name in fields)
    columns = [make_column([fields.get(name) for fields in objects]) for name in names]
    return pa.table(columns, names=[escape_name(name) for name in names])


def make_column(values: Sequence[Any]) -> pa.Array:
    r"""Return values as a column; what Parquet cannot hold becomes JSON text.

    That is every value of a column of several types, of integers beyond 64 bits, of empty
    objects or of deep nesting, but of strings only those with half a character.

    Example:
        >>> make_column(["a", "\ud83d"]).to_pylist()
        ['a', '"\\ud83d"']
    """
    try:
        column = pa.array(values)
        if _can_hold(column.type):
            return column
    except _CONVERSION_ERRORS:
        if all(value is None or isinstance(value, str) for value in values):
            return pa.array([value and _escape_halves(value) for value in values], pa.string())
    return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())


def escape_name(name: str) -> str:
    """Return the name of a column, half a character in it escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def read_objects(table: pa.Table) -> Iterator[dict[str, Any] | str]:
    """Yield each row of a table as an object, or as the reason why it cannot be one."""
    try:
        yield from table.to_pylist()
    except _CONVERSION_ERRORS as error:
        if len(table) == 1:
            yield " ".join(str(error).split())
            return
        for row in range(len(table)):
            yield from read_objects(table.slice(row, 1))


def _escape_halves(text: str) -> str:
    return json.dumps(text) if _SURROGATE.search(text) else text


def _can_hold(type_: pa.DataType, levels: int = MAX_LEVELS) -> bool:
    """Return whether Parquet can hold a type: it has no empty objects and no deep nesting."""
    if pa.types.is_list(type_):
        inner = [type_.value_type]
    elif pa.types.is_struct(type_):
        inner = [type_.field(number).type for number in range(type_.num_fields)]
    else:
        return True
    return bool(inner) and levels > 0 and all(_can_hold(item, levels - 1) for item in inner)
