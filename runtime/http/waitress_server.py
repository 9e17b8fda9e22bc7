"""The HTTP server: waitress, with a time limit for requests, JSON errors and a clean stop.

This is the only module that imports waitress. It subclasses waitress's internals, because no
public option covers three requirements:

- Clients that trickle get 408 after `CLIENT_TIMEOUT`, or after `FULL_TIMEOUT` while all
  connections are taken. The option `channel_timeout` closes only connections without any activity,
  and every received byte counts as activity.
- Malformed requests are answered in JSON. Waitress answers them in plain text before the
  application sees them, and has no option for the format.
- Pending requests are answered at stop. Waitress has no stop method; its `run` ends on an exception
  and cancels the queued requests.

It relies on these internals, which a minor release may change; pyproject.toml therefore pins the
minor version:

- `TcpWSGIServer`: the constructor's `_sock`, `bind_socket` and `sockinfo`, and `_map`,
  `channel_class`, `active_channels`, `task_dispatcher`, `add_task`, `maintenance`, `handle_accept`
  and `pull_trigger`.
- `HTTPChannel`: `parser_class`, `error_task_class`, `requests`, `request`, `requests_lock`,
  `total_outbufs_len`, `will_close`, `close_when_flushed`, `received`, `service`, `handle_close`.
- `HTTPRequestParser.parse_header`, `error`, `completed` and `body_bytes_received`; `ParsingError`;
  `ErrorTask.execute` and what it sets; `utilities.Error`.
- `wasyncore.loop` and `wasyncore.dispatcher.close`.
- The two sockets of its own that it counts in `connection_limit`, and the loggers `waitress` and
  `waitress.queue`.
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

from .application import JSON, MAX_BODY_BYTES, Application, log, to_json

MAX_HEADER_BYTES = 16_384
MAX_CONNECTIONS = 256  # open at once; further clients wait
CLIENT_TIMEOUT = 30  # seconds to send a request, to take its response, and between requests
FULL_TIMEOUT = 2  # the same while all connections are taken, so that waiting clients get one
REPEAT_SECONDS = 60  # between two warnings of one kind in the log
STOP_TIMEOUT = 10  # seconds to answer pending requests when stopping
# Requests up to this size, a few pages of text, are answered in the I/O loop: handing them to a
# thread doubles their cost. Longer ones go to the thread, so that they do not delay the others.
MAX_INLINE_BYTES = 8_192


class Server(TcpWSGIServer):  # type: ignore[misc]
    """A WSGI server on one address.

    Attributes:
        address: such as `http://127.0.0.1:8080`.
        stopping: whether `stop` was called.
    """

    def __init__(self, application: Application, listener: socket.socket) -> None:
        """Create a server on a listening socket; `run` starts answering."""
        _redirect_waitress_log()
        self.stopping = False
        self._last_check = time.monotonic()
        self._inline_channels: deque[_Channel] = deque()
        self.channel_class = _Channel
        super().__init__(
            application,
            {},
            _sock=listener,
            bind_socket=False,
            sockinfo=(listener.family, listener.type, 0, listener.getsockname()),
            threads=1,
            ident="glovelite",
            server_name=listener.getsockname()[0],
            connection_limit=MAX_CONNECTIONS + 2,  # waitress counts two of its own
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=MAX_BODY_BYTES + 1,  # waitress refuses this size itself
            inbuf_overflow=2 * MAX_BODY_BYTES,  # never write requests or responses to disk
            outbuf_overflow=1 << 30,
            outbuf_high_watermark=1 << 30,  # a thread never waits for a client
            clear_untrusted_proxy_headers=False,
            log_socket_errors=False,
        )
        host = f"[{self.effective_host}]" if ":" in self.effective_host else self.effective_host
        self.address = f"http://{host}:{self.effective_port}"

    def run(self) -> None:
        """Answer until `stop` is called, then answer pending requests for up to `STOP_TIMEOUT`."""
        while not self.stopping:
            self._poll(1)
        for _ in range(MAX_CONNECTIONS):
            self.handle_accept()  # clients that have already connected are answered
        wasyncore.dispatcher.close(self)
        self._poll(0)  # read what has already arrived
        deadline = time.monotonic() + STOP_TIMEOUT
        while self.active_channels and time.monotonic() < deadline:
            for channel in list(self.active_channels.values()):
                if channel.is_idle():
                    channel.handle_close()
            self._poll(1)
        self.task_dispatcher.shutdown(timeout=1)

    def stop(self) -> None:
        """Make `run` return; safe in a signal handler. The next signal ends the process."""
        self.stopping = self.application.stopping = True
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_DFL)
        self.pull_trigger()

    def add_task(self, channel: _Channel) -> None:
        """Schedule the first request of a connection; called by waitress."""
        if channel.requests[0].body_bytes_received > MAX_INLINE_BYTES:
            super().add_task(channel)
        else:
            self._inline_channels.append(channel)

    def maintenance(self, _: float) -> None:
        """Do nothing: `_poll` closes overdue connections, also those that take no response."""

    def _poll(self, seconds: float) -> None:
        """Wait up to `seconds` for I/O, handle it, and close overdue connections once a second."""
        wasyncore.loop(seconds, use_poll=True, map=self._map, count=1)
        now = time.monotonic()
        if now - self._last_check > 1:
            self._last_check = now
            full = len(self.active_channels) >= MAX_CONNECTIONS
            timeout = FULL_TIMEOUT if full else CLIENT_TIMEOUT
            for channel in list(self.active_channels.values()):
                channel.close_if_overdue(now, timeout)
        while self._inline_channels:
            channel = self._inline_channels.popleft()
            try:
                channel.service()
            except Exception as error:  # as in waitress's threads: other connections go on
                log(f"a connection failed: {type(error).__name__}: {error}")
                channel.handle_close()


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    path = "?"  # for requests too malformed to have one

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.start = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # an address or a number that Python rejects
            raise ParsingError(str(error)) from None


class _RequestTimeout(Error):  # type: ignore[misc]
    """A request that is not complete in time; the body is the number of seconds."""

    code, reason = 408, "Request Timeout"


class _ErrorTask(ErrorTask):  # type: ignore[misc]
    """Answers, in JSON, a request that never reaches the application."""

    def execute(self) -> None:
        error = self.request.error
        problem = {
            408: f"expected a complete request within {error.body} seconds",
            413: f"expected a body of at most {MAX_BODY_BYTES:,} bytes, found more",
            431: f"expected headers of at most {MAX_HEADER_BYTES:,} bytes, found more",
            500: "internal server error",
        }.get(error.code, f"expected an HTTP/1.1 request: {error.body:.80}")
        body = to_json({"error": problem})
        self.channel.rejected = True
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", JSON))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """One connection, with a time limit."""

    parser_class, error_task_class = _Parser, _ErrorTask
    requests: list[Any]  # complete and not answered yet
    request: Any  # incomplete, or None
    will_close: bool
    rejected = False  # the request was answered with an error before it was complete
    draining = False  # rejected and half closed: what the client still sends is discarded

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.idle_since = time.monotonic()
        super().__init__(*arguments, **options)

    def is_idle(self) -> bool:
        pending = self.requests or self.request or self.total_outbufs_len
        return self.draining or not (pending or self.close_when_flushed)

    def close_if_overdue(self, now: float, timeout: float) -> None:
        if self.requests:  # the client waits for the server
            return
        if self.request is None or self.draining or self.total_outbufs_len:
            if now - self.idle_since > timeout:
                self.handle_close()
        elif now - self.request.start > timeout:
            with self.requests_lock:
                self.request.error = _RequestTimeout(str(timeout))
                self.request.completed = True
                self.requests, self.request = [self.request], None
                self.server.add_task(self)

    def received(self, data: bytes) -> bool:
        return False if self.draining else super().received(data)

    def service(self) -> None:
        self.idle_since = time.monotonic()
        if self.server.stopping:
            self.requests[0].headers["CONNECTION"] = "close"
        super().service()
        self.idle_since = time.monotonic()

    def handle_close(self) -> None:
        """Close; after a rejection only once the client stops sending, or it would miss why."""
        if self.rejected and not self.draining and self.socket is not None:
            self.draining, self.will_close = True, False
            self.idle_since = time.monotonic()
            try:
                self.socket.shutdown(socket.SHUT_WR)
                return
            except OSError:
                pass
        super().handle_close()


class _LogHandler(logging.Handler):
    """Logs waitress's warnings, the same one at most once in `REPEAT_SECONDS`."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if not record.exc_info:
            now = time.monotonic()
            if now - self._logged.get(record.msg, -REPEAT_SECONDS) < REPEAT_SECONDS:
                return
            self._logged[record.msg] = now
        error = record.exc_info[1] if record.exc_info else None
        cause = f": {type(error).__name__}: {error}" if error else ""
        log(f"{record.getMessage()}{cause}")


def _redirect_waitress_log() -> None:
    """Send waitress's warnings to our log, one line each, without its queue length messages."""
    logger = logging.getLogger("waitress")
    logger.handlers, logger.propagate = [_LogHandler()], False
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
