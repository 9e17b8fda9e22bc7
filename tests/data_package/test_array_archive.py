"""Archives of arrays are read within the bytes that they have, or refused by one line."""

import io
import os
import zipfile

import numpy as np
import pytest

from glovelite.data.array_archive import read_arrays, read_count, read_row


def header(shape, dtype="'<f4'", order="False"):
    text = f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}"
    padded = text.ljust(118 - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def encrypt(path):
    """Set the flags that say so."""
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)


def overlap(path):
    """Let two entries of the directory share the bytes of one member."""
    archive(path, {"a.npy": header((250,)) + bytes(1000)})
    content = path.read_bytes()
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    twice = bytearray(content[end:])
    twice[8:12] = (2).to_bytes(2, "little") * 2
    twice[12:16] = (2 * (end - start)).to_bytes(4, "little")
    other = content[start:end].replace(b"a.npy", b"b.npy")
    path.write_bytes(content[:end] + other + twice)


def test_what_savez_writes_is_read(tmp_path):
    arrays = {
        "weights/table": np.arange(6, dtype=np.float32).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "about": np.array("naïve"),
        "count": np.array(7),
        "none": np.zeros((0, 3), np.float32),
        "hashes": np.array([1, 2**63], np.uint64),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert read_count(found, "count") == 7
    assert read_row(found, "hashes", np.uint64).tolist() == [1, 2**63]


def _array_alone(path):
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    path.write_bytes(buffer.getvalue())


def _of_objects(path):
    np.savez(path, a=np.array([{}], dtype=object))


def _of_records(path):
    np.savez(path, a=np.zeros(2, [("x", "f4"), ("y", "f4")]))


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "no archive": lambda path: path.write_bytes(b"damaged" * 100),
    "an array": _array_alone,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "compressed": lambda path: np.savez_compressed(path, a=np.zeros(10**6)),
    "lzma": lambda path: archive(path, {"a.npy": header((1,))}, zipfile.ZIP_LZMA),
    "encrypted": encrypt,
    "overlapping": overlap,
    "other members": lambda path: archive(path, {"a.txt": b"a"}),
    "objects": _of_objects,
    "records": _of_records,
    "728 TiB": lambda path: archive(path, {"a.npy": header((100_000, 100_000, 20_000)) + b"1234"}),
    "negative": lambda path: archive(path, {"a.npy": header((-1, -1)) + b"1234"}),
    "a huge number": lambda path: archive(path, {"a.npy": header("(" + "9" * 60 + ",)")}),
    "an open header": lambda path: archive(path, {"a.npy": header("(3,)", order="(False")}),
    "a deep header": lambda path: archive(path, {"a.npy": header("(" * 50 + ")" * 50)}),
    "no header": lambda path: archive(path, {"a.npy": b"\x93NUMPY\x01\x00"}),
    "version 9": lambda path: archive(path, {"a.npy": b"\x93NUMPY\x09\x00" + bytes(200)}),
    "a wrong checksum": lambda path: path.write_bytes(
        path.read_bytes().replace(np.float64(1).tobytes(), np.float64(2).tobytes(), 1)
    ),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_anything_else_is_refused(tmp_path, damage):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.ones(3), b=np.array("text"))
    damage(path)
    with pytest.raises(ValueError, match=r".") as raised:
        read_arrays(path)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("wrong", [np.array([1, 2]), np.array("1"), np.array(1.0), None])
def test_a_count_is_one_integer(wrong):
    with pytest.raises(ValueError, match="count: expected an integer"):
        read_count({} if wrong is None else {"count": wrong}, "count")


@pytest.mark.parametrize("wrong", [np.ones((2, 2), np.int32), np.ones(2, np.int64), None])
def test_a_row_has_one_dimension_and_its_type(wrong):
    with pytest.raises(ValueError, match="ids: expected one row of int32"):
        read_row({} if wrong is None else {"ids": wrong}, "ids", np.int32)
