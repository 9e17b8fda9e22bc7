"""What a file is, by its content: readers name it and the way out, or read it."""

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile

import numpy as np
import pytest

from glovelite.runtime.errors import DataError
from glovelite.runtime.files.columns import ColumnNames
from glovelite.runtime.files.kinds import SIGNATURES, find_kind, is_companion
from glovelite.runtime.files.records import BadRow, open_records, read_text
from tests.labelled_files import ROWS, as_csv, as_jsonl, write

COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def zipped(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), member)
    return content.getvalue()


def tarred():
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"), io.BytesIO())
    return content.getvalue()


def saved(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def database(folder):
    path = folder / "database"
    with sqlite3.connect(path) as connection:
        connection.execute("create table texts (text)")
    connection.close()
    return path.read_bytes()


def open_text(path, **options):
    return open_records(str(path), ColumnNames(), labelled=False, **options)


def texts(path, **options):
    file = open_text(path, **options)
    return [
        record if isinstance(record, BadRow) else read_text(record, file.columns) for record in file
    ]


OTHER_KINDS = {
    r"a zip archive, not text: unpack it, .* \('data/a.csv'\)": zipped(data__a_dot_csv="x"),
    "a Word document, not text: copy the texts": zipped(word__document_dot_xml="<x/>"),
    "an OpenDocument file, not text: save it as": zipped(mimetype="x", content_dot_xml="<x/>"),
    "a Keras model, not text": zipped(config_dot_json="{}", model_dot_weights_dot_h5="x"),
    "a PyTorch model, not text": zipped(model__data_dot_pkl="x"),
    "a file of NumPy arrays": zipped(a_dot_npy="x"),
    "a damaged zip archive": zipped(a="x")[:30],
    "a tar archive, not text: unpack it": tarred(),
    "a NumPy array .* not text": saved(np.zeros(3)),
    "a Python pickle, not text: load it with pandas": pickle.dumps({"text": ["x"]}),
    "a PDF document, not text": b"%PDF-1.7\n%\xe2\xe3",
    "an old Office file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "a TensorFlow Lite model": b"\x1c\0\0\0TFL3" + bytes(60),
    "a file of word vectors in word2vec's binary form": b"2 3\nthe \x00\x00\x80?abcdefgh\nof 0123",
    "a fastText model in binary form": b"\xba\x16\x4f\x2f\x0c\0\0\0",
    r"a model \(safetensors\)": b"\x40\0\0\0\0\0\0\0" + b'{"weight":{}}',
    "an Arrow|a Feather file": b"ARROW1\0\0" + bytes(40),
    "a web page .*: download the file itself": b"\n<!DOCTYPE html>\n<html><body>",
    "an XML file": b"\xef\xbb\xbf<?xml version='1.0'?><rows/>",
    "a pointer of Git LFS: |a pointer of Git LFS, .*git lfs pull": b"version https://git-lfs.gith",
    "a Jupyter notebook": b'{\n "cells": [\n',
    r"JSON over several lines: write one object per line": b'{\n  "text": ["x"]\n}\n',
    "a companion file of macOS": b"\0\5\x16\7\0\2\0\0Mac OS X",
}


@pytest.mark.parametrize("message", OTHER_KINDS)
@pytest.mark.parametrize("name", ["data.csv", "data.parquet", "data", "data.jsonl.gz"])
def test_what_is_no_text_is_named_with_the_way_out(tmp_path, message, name):
    content = OTHER_KINDS[message]
    path = write(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)
    with pytest.raises(DataError, match=f"{name} is (?:{message})"):
        open_text(path)


def test_a_database_is_named(tmp_path):
    with pytest.raises(DataError, match="an SQLite database, not text: export its table"):
        open_text(write(tmp_path, database(tmp_path)))


@pytest.mark.parametrize(
    "text",
    ["ORCID", "PAR1", "GIF", "RDX", "BZh9", "TFL3", "version", "{", "<b>x", "7z", "Obj", "12 34"],
)
def test_text_that_begins_like_another_kind_is_text(tmp_path, text):
    assert find_kind(io.BytesIO(f"{text} and more,a\nof it\n".encode())) is None
    assert texts(write(tmp_path, f"text\n{text} and more\n")) == [f"{text} and more"]


@pytest.mark.parametrize(("signature", "kind"), SIGNATURES)
def test_every_kind_has_a_way_out(signature, kind):
    assert find_kind(io.BytesIO(signature)) is kind
    assert kind.advice


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("name", ["data.csv", "data.jsonl"])
def test_compressed_text_is_read_by_name_and_by_content(tmp_path, compression, name):
    content = as_csv(ROWS) if name.endswith("csv") else as_jsonl(ROWS)
    compressed = COMPRESS[compression](content.encode())
    expected = [text for text, _ in ROWS]
    assert texts(write(tmp_path, compressed, f"{name}.{compression}")) == expected
    assert texts(write(tmp_path, compressed, name)) == expected


@pytest.mark.parametrize("compression", COMPRESS)
def test_damaged_compression_is_one_line(tmp_path, compression):
    content = COMPRESS[compression](as_csv(ROWS * 200).encode())
    damaged = content[:-40] + bytes(20)
    with pytest.raises(DataError, match=f"data.csv.{compression}: the .* file is damaged: "):
        texts(write(tmp_path, damaged, f"data.csv.{compression}"))


@pytest.mark.parametrize("format_", ["parquet", "xlsx"])
def test_a_table_is_read_by_its_content(tmp_path, format_):
    import polars

    frame = polars.DataFrame({"text": ["one", "two"]})
    content = io.BytesIO()
    frame.write_parquet(content) if format_ == "parquet" else frame.write_excel(content)
    for name in ("data.csv", "data", "data.parquet", "data.xlsx"):
        path = write(tmp_path, content.getvalue(), name)
        assert (texts(path), open_text(path).format) == (["one", "two"], format_)
    with pytest.raises(DataError, match="is read from a file that is not compressed"):
        open_text(write(tmp_path, gzip.compress(content.getvalue()), "data.gz"))


@pytest.mark.parametrize("name", ["data.xlsx", "data.parquet"])
def test_text_under_the_name_of_a_table_is_named(tmp_path, name):
    with pytest.raises(DataError, match=r"cannot be read as .*: it is text: name it after"):
        open_text(write(tmp_path, as_csv(ROWS), name))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("._a.txt", True),
        ("pos/.DS_Store", True),
        ("__MACOSX", True),
        ("__MACOSX/pos/1.txt", True),
        ("pos/Thumbs.db", True),
        ("desktop.ini", True),
        ("a.txt", False),
        ("_a.txt", False),
        ("macosx/1.txt", False),
    ],
)
def test_companions_of_macos_and_windows(path, expected):
    assert is_companion(path) is expected


class TestLines:
    """Ends of lines, quotes of TSV, and fastText's labels."""

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
    def test_every_end_of_line(self, tmp_path, end, encoding):
        rows = [("der schöne Film", "a"), ("über die Brücke", "b")]
        content = as_csv(rows).replace("\n", end).encode(encoding)
        assert texts(write(tmp_path, content)) == [text for text, _ in rows]
        lines = as_jsonl(rows).replace("\n", end).encode()
        assert texts(write(tmp_path, lines, "d.jsonl")) == [text for text, _ in rows]

    def test_quotes_of_tsv_that_span_lines(self, tmp_path):
        rows = [("one\ntwo", "a"), ('he said "no"', "b"), ("tab\there", "a"), ("plain", "b")]
        assert texts(write(tmp_path, as_csv(rows, delimiter="\t"), "d.tsv")) == [
            text for text, _ in rows
        ]

    def test_quotes_of_tsv_are_text_where_rows_have_their_fields(self, tmp_path):
        content = 'text\tlabel\n"so" it\ta\n"never closed\tb\n" quoted "\ta\n'
        assert texts(write(tmp_path, content, "d.tsv")) == [
            '"so" it',
            '"never closed',
            '" quoted "',
        ]

    def test_a_late_row_of_tsv_may_span_lines(self, tmp_path):
        plain = "".join(f'"a {n}\tx\n' for n in range(300))
        path = write(tmp_path, f'text\tlabel\n{plain}"one\n\ntwo"\ty\n"three\nfour\tz\n', "d.tsv")
        *_, spanning, bad, last = texts(path)
        assert spanning == "one\n\ntwo"
        assert bad == BadRow(305, "expected 2 fields, found 1")
        assert last == "four"

    @pytest.mark.parametrize(
        ("line", "labels", "text"),
        [
            ("a red rose __label__plant", "plant", "a red rose"),
            ("__label__plant a red rose", "plant", "a red rose"),
            ("a red __label__plant rose", "plant", "a red rose"),
            ("a red __label__plant rose __label__x", "plant x", "a red rose"),
            ("a red rose\t__label__plant", "plant", "a red rose"),
            ("__label__plant, a red rose", "plant", "a red rose"),
            ("__label__c++ __label__:) a", "c++ :)", "a"),
            ("a my__label__b __label__c", "c", "a my__label__b"),
        ],
    )
    def test_labels_of_fasttext_stand_anywhere(self, tmp_path, line, labels, text):
        (record,) = open_text(write(tmp_path, f"{line}\n", "lines.txt"))
        assert record.fields == [labels, text]

    def test_a_first_line_without_label_is_fasttext_too(self, tmp_path):
        path = write(tmp_path, "no label\n" + "a red rose __label__plant\n" * 3, "lines.txt")
        assert open_text(path).format == "fasttext"
