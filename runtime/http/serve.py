"""Answers over HTTP until a signal stops it: `glovelite-run BUNDLE --serve PORT`.

Modules are imported where they are used, so that a command line that does not serve stays fast.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..classifier import Classifier
from ..errors import ServerError
from ..extras import missing_extra_message

if TYPE_CHECKING:
    import socket


def parse_address(text: str) -> tuple[str, int]:
    """Parse `[HOST:]PORT`: `"8080"` -> `("127.0.0.1", 8080)`.

    Args:
        text: such as `"8080"`, `"0.0.0.0:8080"` or `"[::1]:8080"`; port 0 takes any free port. The
            default host is reachable from this machine only.

    Raises:
        argparse.ArgumentTypeError: it is not an address.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536):
        raise argparse.ArgumentTypeError(f"expected [HOST:]PORT, found {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve(classifier: Classifier, host: str, port: int, origins: Sequence[str] = ()) -> int:
    """Answer over HTTP until SIGTERM or SIGINT; reload the bundle on SIGHUP.

    Must run in the main thread. Prints the address once the server listens.

    Args:
        classifier: the loaded bundle.
        host: address to listen on.
        port: its port; 0 takes any free port.
        origins: of the web pages that may use the server; `*` for all.

    Returns:
        0, after the pending requests are answered.

    Raises:
        ServerError: h11 is not installed, or the address is unavailable.
    """
    import queue
    import signal

    from .application import Application
    from .cross_origin import CrossOrigin

    try:
        from .server import Server
    except ImportError as error:
        raise ServerError(f"--serve: {missing_extra_message(error.name, 'serve')}") from None
    listener = _listen(host, port)
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    application = Application(classifier, address, CrossOrigin(tuple(origins)))
    server = Server(application, listener)
    reloads: queue.SimpleQueue[None] = queue.SimpleQueue()  # put() is safe in a signal handler

    def reload_on_request() -> None:
        while True:
            reloads.get()
            application.reload()

    threading.Thread(target=reload_on_request, daemon=True).start()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: server.stop())
    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.signal(signal.SIGHUP, lambda *_: reloads.put(None))
    print(f"glovelite-run: serving {classifier.bundle.path} at {address}", flush=True)
    server.run()
    return 0


def _listen(host: str, port: int) -> socket.socket:
    import socket

    listener = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
        return listener
    except (OSError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        reason = getattr(error, "strerror", None) or error
        raise ServerError(
            f"cannot listen on {host}, port {port} ({reason}): choose another address"
        ) from None
