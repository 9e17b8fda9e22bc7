"""Answers over HTTP, for programs that are not in Python: `glovelite-run BUNDLE --serve PORT`."""

from __future__ import annotations

import argparse
import queue
import signal
import threading

from .application import Application, say
from .bundle import MODEL
from .classifier import Classifier
from .errors import GloveliteError, ServerError


def parse_address(text: str) -> tuple[str, int]:
    """Read the command line's `[HOST:]PORT`.

    Args:
        text: `"8080"`, `"0.0.0.0:8080"` or `"[::1]:8080"`; port 0 is any that is free.

    Returns:
        Host and port, the host this machine alone unless another is named: `("127.0.0.1", 8080)`.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536):
        raise argparse.ArgumentTypeError(f"expected [HOST:]PORT, found {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve(classifier: Classifier, host: str, port: int) -> int:
    """Answer over HTTP until SIGTERM or SIGINT; at SIGHUP, change to the bundle that is there now.

    Call it in the main thread. Prints the address when it is ready.

    Args:
        classifier: what answers.
        host: the address to listen at.
        port: its port; 0 takes one that is free.

    Returns:
        0, once what was under way is answered.

    Raises:
        ServerError: waitress is not installed, or the address cannot be had.
    """
    try:
        from .listener import Listener
    except ImportError as error:
        raise ServerError(f"--serve needs {error.name}: pip install 'glovelite[serve]'") from None
    application = Application(classifier)
    listener = Listener(application, host, port)
    reloads: queue.SimpleQueue[None] = queue.SimpleQueue()  # put() is safe in a signal handler
    threading.Thread(target=_reload_when_told, args=(classifier, reloads), daemon=True).start()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: listener.stop())
    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.signal(signal.SIGHUP, lambda *_: reloads.put(None))
    print(f"glovelite-run: {classifier.bundle.path} answers at {listener.address}", flush=True)
    listener.run()
    return 0


def _reload_when_told(classifier: Classifier, reloads: queue.SimpleQueue[None]) -> None:
    while True:
        reloads.get()
        try:
            found = classifier.reload()
        except GloveliteError as error:
            say(f"kept the bundle there was: {error}")
        except Exception as error:  # a full disk, no memory: no reason to stop answering
            say(f"kept the bundle there was: {type(error).__name__}: {error}")
        else:
            model = classifier.bundle.manifest["files"][MODEL]["sha256"]
            say(
                f"took the bundle in {classifier.bundle.path}, model {model[:12]}: "
                f"{found.goldens} golden texts replayed"
            )
