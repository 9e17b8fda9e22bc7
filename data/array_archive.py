"""Reads archives of arrays as `numpy.savez` writes them, of which nothing is promised.

`numpy.load` allocates what a header asks for, decompresses without a limit, and raises whatever the
parser of the archive or of a header does. Here an array takes no more memory than the file has
bytes, and anything else is one ValueError.
"""

from __future__ import annotations

import math
import struct
import zipfile
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as untyped_format

Array = npt.NDArray[Any]
Header = tuple[tuple[int, ...], bool, "np.dtype[Any]"]  # shape, whether columns come first, type
npy: Any = untyped_format
SUFFIX = ".npy"
KINDS = "biufU"  # bool, integers, floats, text: no Python objects, no records
ENCRYPTED = 1  # a flag of a member
#: What the parsers of a zip archive and of its members raise.
UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, MemoryError),
    *(struct.error, SyntaxError, RecursionError, OverflowError, zipfile.BadZipFile, TokenError),
)


def read_arrays(path: Path) -> dict[str, Array]:
    """Read all arrays of an archive, by name; they cannot be written to.

    Raises:
        ValueError: it is no such archive; the message is one line.
    """
    if not path.is_file():  # nor a pipe or a device, which would never end
        raise ValueError("not a regular file")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > path.stat().st_size:
                raise ValueError("arrays are compressed or overlap")
            return {_name(member): _read_member(archive, member) for member in members}
    except UNREADABLE as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None


def read_count(arrays: dict[str, Array], name: str) -> int:
    """Return an array of one integer.

    Raises:
        ValueError: there is none of this name, or it is something else.
    """
    array = arrays.get(name)
    if array is None or array.shape != () or array.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected an integer")
    return int(array)


def read_row(arrays: dict[str, Array], name: str, dtype: type[np.generic]) -> Array:
    """Return an array of one dimension and this type.

    Raises:
        ValueError: there is none of this name, or it is something else.
    """
    array = arrays.get(name)
    if array is None or array.ndim != 1 or array.dtype != dtype:
        raise ValueError(f"{name}: expected one row of {dtype.__name__}")
    return array


def _name(member: zipfile.ZipInfo) -> str:
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & ENCRYPTED:
        raise ValueError("an array is compressed or encrypted")
    if not member.filename.endswith(SUFFIX):
        raise ValueError("not all members are arrays")
    return member.filename.removesuffix(SUFFIX)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as file:
        shape, columns_first, dtype = _read_header(file)
        content = file.read()
    if dtype.kind not in KINDS or dtype.names or dtype.subdtype:
        raise ValueError("an array has values of an unknown type")
    if math.prod(shape) * dtype.itemsize != len(content) or min(shape, default=0) < 0:
        raise ValueError("an array has another size than its header says")
    values: Array = np.frombuffer(content, dtype, math.prod(shape))
    return values.reshape(shape, order="F" if columns_first else "C")


def _read_header(file: IO[bytes]) -> Header:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    if version not in readers:
        raise ValueError("an array has an unknown format")
    header: Header = readers[version](file)
    return header
