"""A local HTTP server of files, in place of the publishers of vectors."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from glovelite.train.vectors.sources import Download


class Server(ThreadingHTTPServer):
    """Serves `files`; response n breaks off after `pieces[n]` bytes, if set.

    Attributes:
        ranges: what each request asked for.
        resumes: whether a file can be continued.
        announces: whether responses say how long they are.
        on_request: is called after a request was answered.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.pieces, self.ranges = {}, [], []
        self.resumes = self.announces = True
        self.on_request = lambda: None

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def add(self, name, content, **fields):
        """Serve a file; return its download, with these fields."""
        self.files[name] = content
        return Download(self.url(name), **fields)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        content = server.files.get(self.path.strip("/"))
        if content is None:
            self.send_error(404)
            return
        start = 0
        if server.resumes and self.headers.get("Range"):
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if server.announces:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        piece = server.pieces.pop(0) if server.pieces else len(content)
        with contextlib.suppress(ConnectionError):  # the client has enough
            self.wfile.write(content[start : start + piece])
            self.wfile.flush()
        self.close_connection = True
        server.on_request()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve():
    """Start a server; yield it."""
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
