"""Downloads resume, are verified and fall back to other sources, against a local server."""

import gzip
import hashlib
import io
import random
import zipfile

import pytest

from glovelite.data.packages import Package, cache_folder
from glovelite.runtime.files.output import partial_path
from glovelite.train import DownloadError
from glovelite.train.vectors.download import Download, download
from glovelite.train.vectors.names import GLOVE_2024, LANGUAGES
from glovelite.train.vectors.package_readers import read_kumo
from glovelite.train.vectors.sources import (
    LEADING_ROWS,
    NAMED_VECTORS,
    REPLACEMENTS,
    PackagedVectors,
    open_vectors,
)
from tests.train.local_server import serve

CONTENT = bytes(range(256)) * 4000  # 1 MB
GLOVE = gzip.compress(b"2 3\na 1 2 3\nb 4 5 6\n")
TEXT = b"5 3\n" + b"".join(b"w%d %d 0 0\n" % (n, n) for n in range(5))
MISSING_PACKAGE = PackagedVectors(
    Package("npm", "glovelite-nonesuch", "1.0.0", "x.tgz", "0", 1), read_kumo
)


@pytest.fixture
def server():
    with serve() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOVELITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("glovelite.train.vectors.download.WAIT", 0)


def wanted(server, name="file", content=CONTENT, **fields):
    return server.add(name, content, **fields)


def missing(server, name):
    return Download(server.url(name))


def zipped(members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return content.getvalue()


def test_download_writes_the_file(server, tmp_path):
    download(wanted(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_download_resumes_after_interruptions(server, tmp_path):
    server.pieces = [300_000, 5, 400_000]
    download(wanted(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=300005-", "bytes=700005-"]


def test_download_resumes_an_earlier_attempt(server, tmp_path):
    server.pieces = [500_000, 0, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"fewer bytes|IncompleteRead"):
        download(wanted(server), tmp_path / "f")
    assert not (tmp_path / "f").exists()
    download(wanted(server), tmp_path / "f")
    assert server.ranges[-1] == "bytes=500000-"
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_download_restarts_if_the_server_cannot_resume(server, tmp_path):
    server.resumes, server.pieces = False, [300_000]
    download(wanted(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_download_needs_no_announced_size(server, tmp_path):
    server.announces = False
    download(wanted(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


@pytest.mark.parametrize(("received", "requests"), [(len(CONTENT), 1), (len(CONTENT) + 9, 2)])
def test_download_ends_or_restarts_where_nothing_follows(server, tmp_path, received, requests):
    """A process was killed before it renamed the file, or the server has another one now."""
    partial_path(tmp_path / "f").write_bytes(CONTENT.ljust(received))
    download(wanted(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert len(server.ranges) == requests


def test_download_deletes_a_wrong_file(server, tmp_path):
    with pytest.raises(DownloadError, match="MD5"):
        download(wanted(server, md5="0" * 32), tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_download_reports_a_missing_file_at_once(server, tmp_path):
    with pytest.raises(DownloadError, match="HTTP 404"):
        download(missing(server, "none"), tmp_path / "f")
    assert len(server.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_download_reports_an_unreachable_server_at_once(tmp_path):
    with pytest.raises(DownloadError, match="refused"):
        download(Download("http://127.0.0.1:9/file"), tmp_path / "f")


def test_open_vectors_caches_the_first_source(server):
    named = {"tiny": (wanted(server, "g.gz", GLOVE), missing(server, "s.zip"))}
    vectors = open_vectors("tiny", named)
    assert vectors["b"].tolist() == [4, 5, 6]
    assert (vectors.source, vectors.name) == ("tiny", "tiny (g.gz)")
    assert vectors.sha256 == hashlib.sha256(gzip.decompress(GLOVE)).hexdigest()
    server.files.clear()
    again = open_vectors("tiny", named)
    assert again["a"].tolist() == [1, 2, 3]
    assert again.sha256 == vectors.sha256


def test_open_vectors_falls_back_to_the_next_source(server, logged):
    archive = wanted(
        server, "s.zip", zipped({"tiny.txt": "a 1 2\n", "other.txt": "b 1 2\n"}), member="tiny.txt"
    )
    vectors = open_vectors("tiny", {"tiny": (missing(server, "g.gz"), archive)})
    assert vectors.words == ["a"]
    assert any("not available" in line and "404" in line for line in logged)


def test_open_vectors_finds_the_only_file_of_a_zip(server):
    name = "wiki_2024_100_vectors_seed_1_combined.txt"
    archive = wanted(server, "new.zip", zipped({"__MACOSX/._x": "", name: "a 1 2\n"}))
    assert open_vectors("new", {"new": (archive,)})["a"].tolist() == [1, 2]


@pytest.mark.parametrize("damage", ["a flipped bit", "a web page"])
def test_open_vectors_downloads_a_damaged_file_again(server, damage):
    whole = zipped({"v.txt": "a 1 2\nb 3 4\n"})
    damaged = whole.replace(b"b 3", b"b 7") if damage == "a flipped bit" else b"<html>log in</html>"
    archive = wanted(server, "v.zip", damaged)
    with pytest.raises(DownloadError, match=r"v\.zip.*(CRC|web page)"):
        open_vectors("v", {"v": (archive,)})
    assert not (cache_folder() / "downloads" / "v.zip").exists()
    server.add("v.zip", whole)
    assert open_vectors("v", {"v": (archive,)})["b"].tolist() == [3, 4]


def test_open_vectors_skips_a_damaged_download(server):
    sources = (wanted(server, "g.gz", GLOVE, md5="0" * 32), wanted(server, "s.gz", GLOVE))
    assert open_vectors("tiny", {"tiny": sources})["a"].tolist() == [1, 2, 3]
    assert not (cache_folder() / "downloads" / "g.gz").exists()


def test_open_vectors_lists_all_failures(server, monkeypatch):
    monkeypatch.setenv("PATH", "")
    archive = Download(server.url("s.zip"), member="glove.tiny.txt")
    sources = (archive, missing(server, "g.gz"), MISSING_PACKAGE)
    with pytest.raises(DownloadError) as refusal:
        open_vectors("glove.tiny", {"glove.tiny": sources})
    for part in (
        "g.gz: HTTP 404",
        "s.zip: HTTP 404",
        "npm",
        f"Download {archive.url} on another machine and pass --vectors s.zip:glove.tiny.txt",
    ):
        assert part in str(refusal.value)
    with pytest.raises(DownloadError, match="Pass other vectors with --vectors FILE"):
        open_vectors("packaged", {"packaged": (MISSING_PACKAGE,)})


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_open_vectors_warns_about_other_vectors(server, logged, name):
    other = REPLACEMENTS[name].name
    named = {name: (missing(server, "a"),), other: (wanted(server, "g.gz", GLOVE),)}
    vectors = open_vectors(name, named)
    assert (vectors.source, vectors.name) == (other, f"{other} (g.gz)")
    assert any(line.startswith(f"warning: using {other} instead of {name}: ") for line in logged)


def test_a_stream_is_read_up_to_the_wanted_rows(server, tmp_path):
    """What follows them is damaged, which nobody learns who stops there."""
    draw = random.Random(0)
    more = b"".join(
        b"x %d %d 0\n" % (draw.random() * 1e9, draw.random() * 1e9) for _ in range(99999)
    )
    content = bytearray(gzip.compress(TEXT.replace(b"5 3", b"100004 3") + more))
    content[-len(content) // 2 :] = bytes(len(content) // 2)
    stream = wanted(server, "cc.xx.vec.gz", bytes(content), rows=4)
    vectors = open_vectors("xx", {"xx": (stream,)})
    assert vectors.words == ["w0", "w1", "w2", "w3"]
    assert vectors["w3"].tolist() == [3, 0, 0]
    assert vectors.name == "xx (cc.xx.vec.gz, first 4 rows)"
    read = b"".join(TEXT.replace(b"5 3", b"100004 3").splitlines(keepends=True)[:5])
    assert vectors.sha256 == hashlib.sha256(read).hexdigest()
    assert list(tmp_path.rglob("*.gz*")) == []


def test_a_stream_continues_after_interruptions(server):
    content = gzip.compress(TEXT)
    server.pieces = [20, 1, 25]
    stream = wanted(server, "xx.vec.gz", content, rows=9)
    vectors = open_vectors("xx", {"xx": (stream,)})
    assert vectors.words == ["w0", "w1", "w2", "w3", "w4"]
    assert server.ranges == [None, "bytes=20-", "bytes=21-", "bytes=46-"]


@pytest.mark.parametrize("resumes", [True, False])
def test_a_stream_that_changes_meanwhile_is_refused(server, resumes):
    server.resumes, server.pieces = resumes, [20]
    stream = wanted(server, "xx.vec.gz", gzip.compress(TEXT), rows=9)
    changed = gzip.compress(TEXT.replace(b"w", b"another"))
    server.on_request = lambda: server.files.update({"xx.vec.gz": changed})
    with pytest.raises(DownloadError, match="has changed on the server"):
        open_vectors("xx", {"xx": (stream,)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(TEXT)[:-20], "ended before the end-of-stream marker"),
        (gzip.compress(TEXT)[:-8] + bytes(8), "CRC check failed"),
        (gzip.compress(TEXT.replace(b"5 3", b"9 3")), r"ends after 5 rows, expected 9"),
        (gzip.compress(TEXT.replace(b"5 3", b"4 3")), "has more than 4 rows"),
        (gzip.compress(TEXT.replace(b"5 3\n", b"")), "numbers of words and values in the first"),
        (gzip.compress(TEXT.replace(b"5 3", b"5 4")), "line 2: expected a word and 4 values"),
        (b"<html>log in</html>", "Not a gzipped file"),
        (b"", "first line"),
    ],
)
def test_a_stream_that_is_not_whole_is_refused(server, content, message):
    stream = wanted(server, "cc.xx.vec.gz", content, rows=50)
    with pytest.raises(DownloadError, match=message) as refusal:
        open_vectors("xx", {"xx": (stream,)})
    assert str(refusal.value).endswith("on another machine and pass --vectors cc.xx.vec.gz")
    assert list((cache_folder() / "glove").iterdir()) == []


def test_known_names_have_sources():
    assert len(set(LANGUAGES)) == len(LANGUAGES) == 158
    assert NAMED_VECTORS["fr"] == (
        Download(
            "https://dl.fbaipublicfiles.com/fasttext/vectors-crawl/cc.fr.300.vec.gz",
            rows=LEADING_ROWS,
        ),
    )
    assert [NAMED_VECTORS[name][0].url for name in GLOVE_2024] == [
        f"https://nlp.stanford.edu/data/wordvecs/glove.2024.wikigiga.{dimensions}d.zip"
        for dimensions in (50, 100, 200, 300)
    ]
    assert {package.name for package in REPLACEMENTS.values()} <= set(NAMED_VECTORS)
