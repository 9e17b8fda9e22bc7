"""The HTTP server: waitress, with what it leaves to its user.

Waitress closes connections that are silent, but not those that send a byte a second, answers what
it cannot parse in plain text, and drops what is under way when it is stopped. This module alone
imports it; where it is not installed, so does importing this.
"""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections import deque
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error

from .application import BODY_BYTES, JSON, Application, as_json, say

HEADER_BYTES = 16_384
CONNECTIONS = 256  # open at once; more wait until one is closed
CLIENT_SECONDS = 30  # to send a request, to take its answer, to be silent between two
STOP_SECONDS = 10  # to answer what is under way at the end
# Requests up to this size, some pages of text, are answered where they are read: passing them to
# another thread costs as much again. Longer ones are, so that they keep the others waiting less.
SHORT_BYTES = 8_192


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """A WSGI server on one address.

    Attributes:
        address: such as `http://127.0.0.1:8080`.
        stopping: whether it was told to stop.
    """

    def __init__(self, application: Application, listening: socket.socket) -> None:
        """Make a server; `run` answers.

        Args:
            application: what answers.
            listening: the socket that clients connect to.
        """
        _log_on_one_line()
        self.stopping = False
        self._looked = time.monotonic()
        self._short: deque[_Channel] = deque()
        self.channel_class = _Channel
        super().__init__(
            application,
            {},
            _sock=listening,
            bind_socket=False,
            sockinfo=(listening.family, listening.type, 0, listening.getsockname()),
            threads=1,
            ident="glovelite",
            connection_limit=CONNECTIONS + 2,  # it counts two of its own
            max_request_header_size=HEADER_BYTES,
            max_request_body_size=BODY_BYTES + 1,  # it refuses what reaches this
            inbuf_overflow=2 * BODY_BYTES,  # neither requests nor answers are written to disk
            outbuf_overflow=1 << 30,
            outbuf_high_watermark=1 << 30,  # nor does a thread wait for a client to take them
            clear_untrusted_proxy_headers=False,
            log_socket_errors=False,
        )
        name = f"[{self.effective_host}]" if ":" in self.effective_host else self.effective_host
        self.address = f"http://{name}:{self.effective_port}"

    def run(self) -> None:
        """Answer until `stop` is called, then what is under way, for `STOP_SECONDS` at the most."""
        while not self.stopping:
            self._turn(1)
        for _ in range(CONNECTIONS):
            self.handle_accept()  # who has connected already is no stranger
        wasyncore.dispatcher.close(self)
        self._turn(0)  # and what has come already is read
        until = time.monotonic() + STOP_SECONDS
        while self.active_channels and time.monotonic() < until:
            for channel in list(self.active_channels.values()):
                if channel.is_idle():
                    channel.handle_close()
            self._turn(1)
        self.task_dispatcher.shutdown(timeout=1)

    def stop(self) -> None:
        """Let `run` come to its end; safe in a signal handler. The next signal ends the process."""
        self.stopping = self.application.stopping = True
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_DFL)
        self.pull_trigger()

    def add_task(self, channel: _Channel) -> None:
        """Arrange that the first request of a connection is answered; waitress calls it."""
        if channel.requests[0].body_bytes_received > SHORT_BYTES:
            super().add_task(channel)
        else:
            self._short.append(channel)

    def maintenance(self, _: float) -> None:
        """Nothing: waitress's own closes none whose answer is not taken. `_turn` sees to it."""

    def _turn(self, seconds: float) -> None:
        """Read, answer and write what is ready, or wait so long for something; see the clock."""
        wasyncore.loop(seconds, use_poll=True, map=self._map, count=1)
        now = time.monotonic()
        if now - self._looked > 1:
            self._looked = now
            for channel in list(self.active_channels.values()):
                channel.close_if_overdue(now)
        while self._short:
            channel = self._short.popleft()
            try:
                channel.service()
            except Exception as error:  # as waitress does in its threads: the others go on
                say(f"a connection failed: {type(error).__name__}: {error}")
                channel.handle_close()


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    path = "?"  # of a request too broken to have one

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.begun = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # an address or a number that Python itself refuses
            raise ParsingError(str(error)) from None


class _Timeout(Error):  # type: ignore[misc]
    code, reason = 408, "Request Timeout"


class _ErrorTask(ErrorTask):  # type: ignore[misc]
    """Answers, in JSON, a request that never reaches the application."""

    def execute(self) -> None:
        error = self.request.error
        problem = {
            408: f"expected a whole request within {CLIENT_SECONDS} seconds",
            413: f"expected a body of at most {BODY_BYTES:,} bytes, found more",
            431: f"expected headers of at most {HEADER_BYTES:,} bytes, found more",
            500: "this is a fault of the server",
        }.get(error.code, f"expected an HTTP/1.1 request: {error.body:.80}")
        body = as_json({"error": problem})
        self.channel.refused = True
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", JSON))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """One connection, under a clock."""

    parser_class, error_task_class = _Parser, _ErrorTask
    requests: list[Any]  # read to the end and not answered yet
    request: Any  # begun, or None
    will_close: bool
    refused = False  # its request was not even read to the end
    lingering = False  # refused and told so: what it still sends is thrown away

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.free_since = time.monotonic()  # when the last answer was done
        super().__init__(*arguments, **options)

    def is_idle(self) -> bool:
        under_way = self.requests or self.request or self.total_outbufs_len
        return self.lingering or not (under_way or self.close_when_flushed)

    def close_if_overdue(self, now: float) -> None:
        if self.requests:  # it waits for us
            return
        if self.request is None or self.lingering or self.total_outbufs_len:
            if now - self.free_since > CLIENT_SECONDS:
                self.handle_close()
        elif now - self.request.begun > CLIENT_SECONDS:
            with self.requests_lock:
                self.request.error = _Timeout("")
                self.request.completed = True
                self.requests, self.request = [self.request], None
                self.server.add_task(self)

    def received(self, data: bytes) -> bool:
        return False if self.lingering else super().received(data)

    def service(self) -> None:
        self.free_since = time.monotonic()
        if self.server.stopping:
            self.requests[0].headers["CONNECTION"] = "close"
        super().service()
        self.free_since = time.monotonic()

    def handle_close(self) -> None:
        """Close; after a refusal when the client stops sending, or it would never read why."""
        if self.refused and not self.lingering and self.socket is not None:
            self.lingering, self.will_close = True, False
            self.free_since = time.monotonic()
            try:
                self.socket.shutdown(socket.SHUT_WR)
                return
            except OSError:
                pass
        super().handle_close()


class _Log(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        cause = f": {type(error).__name__}: {error}" if error else ""
        say(f"{record.getMessage()}{cause}")


def _log_on_one_line() -> None:
    """Take waitress's warnings into our log, without tracebacks and the length of its queue."""
    logger = logging.getLogger("waitress")
    logger.handlers, logger.propagate = [_Log()], False
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
