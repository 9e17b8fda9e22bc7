"""A local HTTP server of files, in place of the publishers of vectors."""

import contextlib
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from glovelite.train.vectors.sources import Download


class Server(ThreadingHTTPServer):
    """Serves `files`; response n breaks off after `pieces[n]` bytes, if set."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.pieces, self.ranges, self.resumes = {}, [], [], True

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def add(self, name, content, **changes):
        """Serve a file; return its download, with some of its fields changed."""
        self.files[name] = content
        md5 = hashlib.md5(content).hexdigest()
        return Download(**{"url": self.url(name), "bytes": len(content), "md5": md5, **changes})


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
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        piece = server.pieces.pop(0) if server.pieces else len(content)
        self.wfile.write(content[start : start + piece])
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve():
    """Start a server; yield it."""
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
