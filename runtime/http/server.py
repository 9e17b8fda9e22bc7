"""The HTTP server: asyncio moves bytes, h11 parses them; time limits, JSON errors, a clean stop.

This is the only module that imports h11. It exists because no complete server in pure Python has
public options that limit the time of a request that trickles, make clients wait while all
connections are taken, and give malformed requests an answer in JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http import HTTPStatus

import h11

from .application import EXPLAIN, Application, RequestError, Response, check_length, log

MAX_HEADER_BYTES = 16_384
MAX_CONNECTIONS = 256  # open at once; further clients wait
CLIENT_TIMEOUT = 30  # seconds to send a request, to take its response, and between requests
FULL_TIMEOUT = 2  # the same while all connections are taken, so that waiting clients get one
REPEAT_SECONDS = 60  # between two warnings of one kind in the log
STOP_TIMEOUT = 10  # seconds to answer pending requests when stopping
# Requests up to this size, a few pages of text, are answered in the event loop: handing them to a
# thread doubles their cost. Longer ones and explanations, which may run the model once a word, go
# to the thread, so that they do not delay the others.
MAX_INLINE_BYTES = 8_192
READ_BYTES = 16_384  # of one connection before it is the others' turn
# Of responses that clients have not taken yet; a larger one may wait alone, small ones may always.
MAX_WAITING_BYTES, SMALL_BYTES = 1 << 26, 1 << 16
RETRY_SECONDS = 5
WAITING = 'the responses to other clients wait: try again, or ask for fewer texts or with a "top"'
LONG_HEADERS = f"expected headers of at most {MAX_HEADER_BYTES:,} bytes, found more"


class Server:
    """A server on one address."""

    def __init__(self, application: Application, listener: socket.socket) -> None:
        """Create a server on a listening socket; `run` starts answering."""
        self._application, self._listener = application, listener
        self._connections: set[_Connection] = set()
        self._waiting = _WaitingBytes()
        self._loop = asyncio.SelectorEventLoop()  # has `add_reader` on every platform
        self._stop = self._loop.create_future()
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._warned: dict[str, float] = {}

    def run(self) -> None:
        """Answer until `stop` is called, then answer pending requests for up to `STOP_TIMEOUT`."""
        self._listener.setblocking(False)
        self._loop.set_exception_handler(
            lambda _, context: self._warn("a connection failed", context.get("exception", context))
        )
        self._check_connections()
        self._loop.run_until_complete(self._answer_until_stopped())
        self._thread.shutdown(cancel_futures=True)
        self._loop.close()

    def stop(self) -> None:
        """Make `run` return; safe in a signal handler. The next signal ends the process."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_DFL)
        if not self._application.stopping:
            self._application.stopping = True
            self._loop.call_soon_threadsafe(self._stop.set_result, None)

    async def _answer_until_stopped(self) -> None:
        await self._stop
        while self._accept():  # clients that have already connected are answered
            pass
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for _ in range(10):  # turns of the loop: open connections, read what has already arrived
            await asyncio.sleep(0)
        deadline = time.monotonic() + STOP_TIMEOUT
        while self._connections:
            late = time.monotonic() > deadline
            for connection in self._connections:
                if late or not connection.started:
                    connection.task.cancel()
            await asyncio.sleep(0.01)

    def _check_connections(self) -> None:
        """End the overdue connections, once a second."""
        self._loop.call_later(1, self._check_connections)
        timeout = FULL_TIMEOUT if len(self._connections) >= MAX_CONNECTIONS else CLIENT_TIMEOUT
        for connection in self._connections:
            connection.cancel_if_overdue(timeout)
        self._resume_accepting()

    def _resume_accepting(self) -> None:
        if not self._application.stopping:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> bool:
        """Accept a connection; return whether a client got one."""
        client = None
        try:
            if self._application.stopping or len(self._connections) < MAX_CONNECTIONS:
                client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:  # such as no file descriptors
            self._warn("no connection can be accepted", error)
        if client is None:
            self._loop.remove_reader(self._listener)  # until one ends, or for a second
            return False
        connection = _Connection(self._application, self._thread, self._waiting)
        self._connections.add(connection)
        connection.task = self._loop.create_task(connection.run(client))
        connection.task.add_done_callback(lambda _: self._forget(connection))
        return True

    def _forget(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        self._resume_accepting()
        if not connection.task.cancelled() and (error := connection.task.exception()):
            self._warn("a connection failed", error)

    def _warn(self, kind: str, error: object) -> None:
        now = time.monotonic()
        if now - self._warned.get(kind, -math.inf) > REPEAT_SECONDS:
            self._warned[kind] = now
            log(f"{kind}: {type(error).__name__}: {error}")


class _WaitingBytes:
    """The size of all responses that wait for their clients."""

    def __init__(self) -> None:
        self._total = 0

    def has_room_for(self, response: Response) -> bool:
        """Return whether a response may wait beside the others."""
        size = len(response[2])
        fits = size <= SMALL_BYTES or self._total + size <= MAX_WAITING_BYTES
        return fits or not self._total

    @contextlib.contextmanager
    def add(self, count: int) -> Iterator[None]:
        """Count a response while the block sends it."""
        self._total += count
        try:
            yield
        finally:
            self._total -= count


class _Connection:
    """The connection of a client.

    Attributes:
        started: whether a request has started to arrive and is not answered yet.
        task: runs `run`.
    """

    task: asyncio.Task[None]
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    def __init__(
        self, application: Application, thread: ThreadPoolExecutor, waiting: _WaitingBytes
    ) -> None:
        self._application, self._thread, self._waiting = application, thread, waiting
        self._http = h11.Connection(h11.SERVER, MAX_HEADER_BYTES)  # parses one request
        self._since = time.monotonic()  # when the server started to wait for the client
        self._timeout = 0.0
        self._headers: dict[str, str] = {}  # of the request
        self.started = False

    def cancel_if_overdue(self, timeout: float) -> None:
        """Cancel `run` if it waits for the client for more than `timeout` seconds."""
        if time.monotonic() - self._since > timeout:
            self._timeout = timeout
            self.task.cancel()

    async def run(self, client: socket.socket) -> None:
        """Answer requests until the client or the server ends the connection."""
        opening = asyncio.open_connection(sock=client, limit=READ_BYTES)
        self._reader, self._writer = await opening
        self._writer.transport.set_write_buffer_limits(0)  # drain() waits until all is sent
        try:
            while await self._answer_next():
                pass
            if not self._application.stopping:
                self._writer.write_eof()
                while await self._reader.read(READ_BYTES):
                    pass  # a client that still sends would miss the response if closed now
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the client has gone or is overdue
        finally:
            self._writer.transport.abort()

    async def _answer_next(self) -> bool:
        """Answer a request; return whether another may follow."""
        self._headers = {}
        try:
            response = await self._answer(*await self._read())
            if not self._waiting.has_room_for(response):
                raise RequestError(503, WAITING, ("Retry-After", str(RETRY_SECONDS)))
        except RequestError as error:
            response = self._application.allow_origin(error.response(), self._headers)
        except asyncio.CancelledError:
            if not self.started or self._application.stopping:
                raise
            problem = f"expected a complete request within {self._timeout} seconds"
            late = RequestError(408, problem).response()
            response = self._application.allow_origin(late, self._headers)
        keep = self._http.their_state is h11.DONE and not self._application.stopping
        self._since = time.monotonic()
        content = _serialize(response, keep)
        with self._waiting.add(len(content)):
            self._writer.write(content)
            del response, content  # the writer has what is not sent yet
            await self._writer.drain()
        received, _ = self._http.trailing_data  # the start of the next request
        self._http = h11.Connection(h11.SERVER, MAX_HEADER_BYTES)
        self.started = bool(received)
        if received:
            self._http.receive_data(received)
            await asyncio.sleep(0)  # the others' turn
        return keep

    async def _read(self) -> tuple[h11.Request, bytes]:
        """Read a request and its body."""
        body = bytearray()
        try:
            while not isinstance(event := self._http.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    request, sizes = event, [len(name + value) for name, value in event.headers]
                    self._headers = {
                        name.decode(): value.decode("latin-1") for name, value in event.headers
                    }
                    if len(request.target) + sum(sizes) > MAX_HEADER_BYTES:
                        raise RequestError(431, LONG_HEADERS)
                    check_length(int(dict(request.headers).get(b"content-length", 0)))
                elif isinstance(event, h11.Data):
                    body += event.data
                    check_length(len(body))
                else:
                    await self._receive()
        except h11.RemoteProtocolError as error:
            long = error.error_status_hint == 431
            problem = LONG_HEADERS if long else f"expected an HTTP/1.1 request: {error!s:.80}"
            raise RequestError(error.error_status_hint, problem) from None
        return request, bytes(body)

    async def _receive(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            self._writer.write(self._http.send(go_on))
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise EOFError
        if not self.started:
            self.started, self._since = True, time.monotonic()
        self._http.receive_data(data)
        if len(data) == READ_BYTES:
            await asyncio.sleep(0)  # the others' turn

    async def _answer(self, request: h11.Request, body: bytes) -> Response:
        arguments = (request.method.decode(), request.target.decode(), self._headers, body)
        answer = self._application.answer
        if len(body) <= MAX_INLINE_BYTES and EXPLAIN not in arguments[1]:
            return answer(*arguments)
        self._since = math.inf  # the client waits
        return await asyncio.get_running_loop().run_in_executor(self._thread, answer, *arguments)


def _serialize(response: Response, keep: bool) -> bytes:
    status, headers, body = response
    headers = [*headers, ("Date", formatdate(usegmt=True)), ("Server", "glovelite")]
    if not keep:
        headers.append(("Connection", "close"))
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *map(": ".join, headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
