"""Downloads resume, are verified, and fall back from source to source, against a local server."""

import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runtime.io.packages import Package, cache_folder
from train import DownloadError
from train.vectors.download import Download, download
from train.vectors.packages import read_kumo
from train.vectors.sources import GloveSources, open_glove

CONTENT = bytes(range(256)) * 4000  # 1 MB
GLOVE = gzip.compress(b"2 3\na 1 2 3\nb 4 5 6\n")


class Server(ThreadingHTTPServer):
    """Serves `files`; each answer breaks off after `pieces[n]` bytes, if that is set."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.pieces, self.ranges, self.resumes = {}, [], [], True

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        content = server.files.get(self.path.strip("/"))
        if content is None:
            self.send_error(404)
            return
        begin = 0
        if server.resumes and self.headers.get("Range"):
            begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        piece = server.pieces.pop(0) if server.pieces else len(content)
        self.wfile.write(content[begin : begin + piece])
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOVELITE_CACHE", str(tmp_path / "cache"))


def wanted(server, name="file", content=CONTENT, **changes):
    server.files[name] = content
    md5 = hashlib.md5(content).hexdigest()
    return Download(**{"url": server.url(name), "bytes": len(content), "md5": md5, **changes})


def test_a_whole_file_arrives(server, tmp_path):
    download(wanted(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_server_that_breaks_off_is_resumed_where_it_was(server, tmp_path):
    server.pieces = [300_000, 5, 400_000]
    download(wanted(server), tmp_path / "f", wait=0)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=300005-", "bytes=700005-"]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, tmp_path):
    server.pieces = [500_000, 0, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"sent less|IncompleteRead"):
        download(wanted(server), tmp_path / "f", wait=0)
    assert not (tmp_path / "f").exists()
    download(wanted(server), tmp_path / "f", wait=0)
    assert server.ranges[-1] == "bytes=500000-"
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_server_that_cannot_resume_sends_everything_again(server, tmp_path):
    server.resumes, server.pieces = False, [300_000]
    download(wanted(server), tmp_path / "f", wait=0)
    assert (tmp_path / "f").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"md5": "0" * 32}, "MD5"),
        ({"bytes": len(CONTENT) - 1}, "bytes came, expected"),
    ],
)
def test_another_file_than_the_wanted_one_is_removed(server, tmp_path, changes, said):
    with pytest.raises(DownloadError, match=said):
        download(wanted(server, **changes), tmp_path / "f", wait=0)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_told_at_once(server, tmp_path):
    with pytest.raises(DownloadError, match="HTTP 404"):
        download(Download(server.url("none"), 9), tmp_path / "f")
    assert len(server.ranges) == 1


def test_a_server_that_is_not_there_is_told_at_once(tmp_path):
    with pytest.raises(DownloadError, match="refused"):
        download(Download("http://127.0.0.1:9/file", 9), tmp_path / "f")


def gone(server, name):
    return Download(server.url(name), 99)


def test_the_first_source_serves_and_is_kept(server):
    sources = GloveSources(wanted(server, "g.gz", GLOVE), gone(server, "s.zip"))
    glove = open_glove("tiny", lambda _: None, {"tiny": sources})
    assert glove["b"].tolist() == [4, 5, 6]
    assert glove.name == "tiny (g.gz)"
    server.files.clear()
    assert open_glove("tiny", lambda _: None, {"tiny": sources})["a"].tolist() == [1, 2, 3]


def test_the_next_source_steps_in(server, tmp_path):
    zip_file = tmp_path / "s.zip"
    import zipfile

    with zipfile.ZipFile(zip_file, "w") as archive:
        archive.writestr("tiny.txt", "a 1 2\n")
        archive.writestr("other.txt", "b 1 2\n")
    sources = GloveSources(gone(server, "g.gz"), wanted(server, "s.zip", zip_file.read_bytes()))
    told = []
    glove = open_glove("tiny", told.append, {"tiny": sources})
    assert glove.words == ["a"]
    assert any("not to be had" in line and "404" in line for line in told)


def test_a_damaged_download_steps_aside(server):
    sources = GloveSources(
        wanted(server, "g.gz", GLOVE, md5="0" * 32), wanted(server, "s.gz", GLOVE)
    )
    assert open_glove("tiny", lambda _: None, {"tiny": sources})["a"].tolist() == [1, 2, 3]
    assert not (cache_folder() / "downloads" / "g.gz").exists()


def test_where_nothing_works_everything_tried_is_listed(server):
    package = Package("npm", "glovelite-nonesuch", "1.0.0", "x.tgz", "0", 1)
    sources = GloveSources(gone(server, "g.gz"), gone(server, "s.zip"), package, read_kumo)
    with pytest.raises(DownloadError) as refusal:
        open_glove("glove.tiny", lambda _: None, {"glove.tiny": sources})
    for part in ("g.gz: HTTP 404", "s.zip: HTTP 404", "npm", "--glove glove.6B.zip:glove.tiny.txt"):
        assert part in str(refusal.value)


def test_where_another_size_stands_in_it_is_said(server):
    named = {
        "glove.6B.100d": GloveSources(gone(server, "a"), gone(server, "b")),
        "glove.6B.50d": GloveSources(wanted(server, "g.gz", GLOVE), gone(server, "b")),
    }
    told = []
    glove = open_glove("glove.6B.100d", told.append, named)
    assert glove.name == "glove.6B.50d (g.gz)"
    assert any("using glove.6B.50d in place of glove.6B.100d" in line for line in told)
