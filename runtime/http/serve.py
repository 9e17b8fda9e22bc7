"""Answers over HTTP, for programs that are not in Python: `glovelite-run BUNDLE --serve PORT`.

What this needs is imported where it is used: the command line that does not serve pays nothing.
"""

from __future__ import annotations

import argparse
import threading
from typing import TYPE_CHECKING

from ..classifier import Classifier
from ..errors import ServerError

if TYPE_CHECKING:
    import socket


def parse_address(text: str) -> tuple[str, int]:
    """Read the command line's `[HOST:]PORT`.

    Args:
        text: `"8080"`, `"0.0.0.0:8080"` or `"[::1]:8080"`; port 0 is any that is free.

    Returns:
        Host and port, the host this machine alone unless another is named: `("127.0.0.1", 8080)`.

    Raises:
        argparse.ArgumentTypeError: it is none of these.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536):
        raise argparse.ArgumentTypeError(f"expected [HOST:]PORT, found {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve(classifier: Classifier, host: str, port: int) -> int:
    """Answer over HTTP until SIGTERM or SIGINT; at SIGHUP, change to the bundle that is there now.

    Call it in the main thread. Prints the address once it is listened at.

    Args:
        classifier: what answers.
        host: the address to listen at.
        port: its port; 0 takes one that is free.

    Returns:
        0, when what was under way is answered.

    Raises:
        ServerError: waitress is not installed, or the address cannot be had.
    """
    import queue
    import signal

    from .application import Application

    try:
        from .waitress_server import Listener
    except ImportError as error:
        raise ServerError(f"--serve needs {error.name}: pip install 'glovelite[serve]'") from None
    application = Application(classifier)
    listener = Listener(application, _listen(host, port))
    told: queue.SimpleQueue[None] = queue.SimpleQueue()  # put() is safe in a signal handler

    def reload_when_told() -> None:
        while True:
            told.get()
            application.reload()

    threading.Thread(target=reload_when_told, daemon=True).start()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: listener.stop())
    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.signal(signal.SIGHUP, lambda *_: told.put(None))
    print(f"glovelite-run: {classifier.bundle.path} answers at {listener.address}", flush=True)
    listener.run()
    return 0


def _listen(host: str, port: int) -> socket.socket:
    import socket

    listening = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
        return listening
    except (OSError, UnicodeError) as error:
        if listening is not None:
            listening.close()
        what = getattr(error, "strerror", None) or error
        raise ServerError(
            f"cannot listen at {host}, port {port} ({what}): choose another"
        ) from None
