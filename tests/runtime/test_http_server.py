"""`glovelite-run --serve`: the real server in its own process, over real sockets."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glovelite import Classifier
from glovelite.runtime.http.application import MAX_BODY_BYTES
from glovelite.runtime.http.serve import parse_address
from tests.helpers import ROOT, classify, read_json, run

TEXTS = ["a tall tree with leaves", "someone who sings", "", "a sweet cake " * 40]
JSON = {"Content-Type": "application/json"}
JSON_HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SHORT_TIMEOUTS = """
import sys
import glovelite.runtime.http.server
from glovelite.runtime.cli.main import main
glovelite.runtime.http.server.CLIENT_TIMEOUT = 2
glovelite.runtime.http.server.STOP_TIMEOUT = 1
main()
"""
TIMEOUT = 120  # seconds until a test gives up; no test asserts how long anything takes


class Server:
    """A running server and a client for it."""

    def __init__(self, bundle, log, program=("-m", "glovelite.runtime"), options=()):
        self.log = log
        command = [sys.executable, *program, bundle, "--serve", "0", *options]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        self.ready = self.process.stdout.readline().decode()
        self.port = int(self.ready.rsplit(":", 1)[1])

    def connection(self):
        return HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)

    def send(self, sent):
        """Send bytes and close the sending side; return everything the server sends."""
        with self.raw() as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            return read_to_end(client)

    def predict(self, texts):
        return post(self.connection(), json.dumps({"texts": texts}))

    def health(self):
        connection = self.connection()
        connection.request("GET", "/health")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def log_lines(self, count):
        """Wait until the log has `count` lines and return them."""
        deadline = time.monotonic() + TIMEOUT
        while len(lines := self.log.read_text("utf-8").split("\n")[:-1]) < count:
            assert time.monotonic() < deadline, lines
            time.sleep(0.02)
        return lines

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(TIMEOUT)


def post(connection, body, headers=JSON):
    connection.request("POST", "/predict", body, headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def read_to_end(client):
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(1 << 16):
            received += part
    return received


@pytest.fixture
def start(tmp_path):
    """A function that starts servers; they are killed after the test."""
    with contextlib.ExitStack() as running:

        def start_server(bundle, **options):
            server = Server(bundle, tmp_path / "log", **options)
            running.callback(server.process.stdout.close)
            running.callback(server.process.wait, TIMEOUT)
            running.callback(server.process.kill)
            return server

        yield start_server


@pytest.fixture(scope="module")
def server(bundle, tmp_path_factory):
    """One server for all tests that must not disturb it; its log stays empty."""
    log = tmp_path_factory.mktemp("server") / "log"
    server = Server(bundle, log)
    yield server
    status, _ = server.health()
    assert server.stop() == 0
    server.process.stdout.close()
    assert (status, log.read_text("utf-8")) == (200, "")


@pytest.fixture(scope="module")
def expected(bundle):
    """The response of the same call in process."""
    classifier = Classifier.load(bundle)

    def answers(texts):
        return {"predictions": [prediction.as_dict() for prediction in classifier.predict(texts)]}

    return answers


def test_server_prints_its_loopback_address(server, bundle):
    assert re.fullmatch(
        f"glovelite-run: serving {re.escape(str(bundle))} at http://127\\.0\\.0\\.1:\\d+\n",
        server.ready,
    )


def test_responses_equal_the_call_in_process(server, expected):
    assert server.predict(TEXTS) == (200, expected(TEXTS))


def test_root_shows_the_address_that_the_client_used(server):
    assert f"curl http://127.0.0.1:{server.port}/predict".encode() in server.send(
        b"GET / HTTP/1.0\r\n\r\n"
    )
    named = server.send(b"GET / HTTP/1.0\r\nHost: pi.local:81\r\n\r\n")
    assert b"curl http://pi.local:81/predict" in named
    odd = server.send(b"GET / HTTP/1.0\r\nHost: $(reboot)\r\n\r\n")
    assert b"reboot" not in odd


def test_connection_is_kept_alive_after_rejected_requests(server, expected):
    connection = server.connection()
    connection.connect()
    kept = connection.sock
    for _ in range(3):
        assert post(connection, json.dumps({"text": TEXTS[0]})) == (200, expected(TEXTS[:1]))
        assert post(connection, "{")[0] == 400
        assert post(connection, "{}", {})[0] == 415
    assert connection.sock is kept


def test_pipelined_requests_are_answered_in_order(server, expected):
    bodies = [json.dumps({"text": text}).encode() for text in TEXTS]
    requests = [JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies]
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with server.raw() as client:
        client.sendall(b"".join(requests) + last)
        answers = re.split(rb"(?=HTTP/1\.1 )", read_to_end(client))[1:]
    found = [json.loads(answer.partition(b"\r\n\r\n")[2]) for answer in answers]
    assert found[:-1] == [expected([text]) for text in TEXTS]


def test_64_concurrent_connections_get_correct_responses(server, expected):
    everyone = threading.Barrier(64)

    def ask(number):
        connection, wrong = server.connection(), []
        connection.connect()
        everyone.wait(TIMEOUT)
        for turn in range(10):
            texts = [f"{text} {number} {turn}" for text in TEXTS] * (20 if turn == 5 else 1)
            answer = post(connection, json.dumps({"texts": texts}))
            wrong += [] if answer == (200, expected(texts)) else [answer]
        connection.close()
        return wrong

    with ThreadPoolExecutor(64) as pool:
        assert [wrong for wrong in pool.map(ask, range(64)) if wrong] == []


def test_silent_connections_do_not_block_others(server, expected):
    with contextlib.ExitStack() as silent:
        for number in range(100):
            client = silent.enter_context(server.raw())
            client.sendall(b"POST /predict HTTP/1.1\r\n"[: number % 24])
        assert server.predict(TEXTS) == (200, expected(TEXTS))


#: Only the timeout that applies while all connections are taken.
FULL = """
import glovelite.runtime.http.server
from glovelite.runtime.cli.main import main
glovelite.runtime.http.server.CLIENT_TIMEOUT = 1e9
glovelite.runtime.http.server.FULL_TIMEOUT = 1
main()
"""


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /health HT", JSON_HEAD + b"Content-Length: 9\r\n\r\n"],
    ids=["silent", "headers", "body"],
)
def test_slow_clients_cannot_keep_all_connections(start, bundle, sent):
    server = start(bundle, program=("-c", FULL))
    with contextlib.ExitStack() as slow:
        for _ in range(300):
            client = slow.enter_context(server.raw())
            client.sendall(sent)
        assert server.health()[0] == 200  # otherwise the test times out
        assert server.predict(TEXTS)[0] == 200


def test_trickling_clients_cannot_keep_all_connections(start, bundle):
    server = start(bundle, program=("-c", FULL))
    done = threading.Event()
    with contextlib.ExitStack() as slow:
        clients = [slow.enter_context(server.raw()) for _ in range(300)]

        def trickle():
            while not done.wait(0.2):
                for client in clients:
                    with contextlib.suppress(OSError):
                        client.send(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            assert server.health()[0] == 200
        finally:
            done.set()
            thread.join()


#: Room for one response beyond 100 bytes at a time.
LITTLE_ROOM = """
import glovelite.runtime.http.server
from glovelite.runtime.cli.main import main
glovelite.runtime.http.server.MAX_WAITING_BYTES = 100
glovelite.runtime.http.server.SMALL_BYTES = 100
main()
"""


def test_waiting_responses_take_limited_memory(start, bundle):
    server = start(bundle, program=("-c", LITTLE_ROOM))
    body = json.dumps({"texts": ["a tree"] * 1000}).encode()
    with server.raw() as slow:  # asks for more than the buffers of the system take, and reads none
        slow.sendall((JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body) * 60)
        while (answer := server.predict(["a tree"]))[0] == 200:
            pass
        assert answer[0] == 503
        assert "the responses to other clients wait" in answer[1]["error"]
    while server.predict(["a tree"])[0] != 200:
        pass


MALFORMED = [
    (b"", None),
    (b"GET /health HTTP/1.1\r\n", None),  # and no more
    (JSON_HEAD + b'Content-Length: 999\r\n\r\n{"text"', None),
    (b"\r\n\r\n\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # the start of a TLS handshake
    (b"\0\0\0\0\r\n\r\n", 400),
    (b"GET\r\n\r\n", 400),
    (b"GET /health\r\n\r\n", 400),  # HTTP/0.9
    (b"GET /health HTTP/1.1\r\n\r\n", 400),  # without Host
    (b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\n folded: x\r\nHost: x\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 400),
    (b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"POST /reload HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"BREW /predict HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"get /health HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"GET /health HTTP/9.9\r\n\r\n", 200),
    (b"GET /health HTTP/1.1\nHost: x\n\n", 200),  # RFC 9112, section 2.2 permits lines without \r
    (b"GET http://x/health?y HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    (b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
    (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (JSON_HEAD + b"\r\n", 411),
    (JSON_HEAD + b"Content-Length: x\r\n\r\n", 400),
    (JSON_HEAD + b"Content-Length: -1\r\n\r\n", 400),
    (JSON_HEAD + b"Content-Length: \xc2\xb2\r\n\r\n", 400),
    (JSON_HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
    (JSON_HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
    (JSON_HEAD + b"Content-Length: 999999999999\r\n\r\n", 413),
    (JSON_HEAD + b'Content-Length: 3\r\n\r\n{"text": "a"}', 400),
    (JSON_HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}}}\r\n0\r\n\r\n", 400),
    (JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"text":\r\n3\r\n""}\r\n0\r\n\r\n', 200),
    (b"GET /health HTTP/1.1\r\nHost: x\r\nCookie: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    (b"GET /health HTTP/1.1\r\nHost: x\r\nCookie: " + b"x" * 100_000 + b"\r\n\r\n", 431),
    (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
    (b"GET /" + b"x" * 100_000, 431),
]


@pytest.mark.parametrize(("sent", "status"), MALFORMED, ids=[str(m[-40:]) for m, _ in MALFORMED])
def test_malformed_requests_get_a_json_error(server, sent, status):
    answer = server.send(sent)
    if status is None:  # the server waited for more and the client left
        assert answer == b""
    else:
        head, _, body = answer.partition(b"\r\n\r\n")
        first, _, headers = head.decode().partition("\r\n")
        assert int(first.split()[1]) == status
        assert "Content-Type: application/json" in headers
        assert status == 200 or json.loads(body.splitlines()[0])["error"].count("\n") == 0
        assert b"Traceback" not in answer
    assert server.health()[0] == 200


FRAGMENTS = st.sampled_from(
    b"POST,GET, ,/predict,HTTP/1.1,\r\n,\r\n\r\n,:,0,5,{},chunked,100-continue".split(b",")
    + b"Content-Length:,Content-Type: application/json,Expect:,Host: x,Transfer-Encoding:".split(
        b","
    )
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(parts=st.lists(FRAGMENTS | st.binary(max_size=20), max_size=30))
def test_any_bytes_leave_the_server_healthy(server, parts):
    answer = server.send(b"".join(parts))
    assert answer == b"" or answer.startswith(b"HTTP/1.")
    assert b"500 Internal" not in answer
    assert server.health()[0] == 200


def test_client_that_asks_whether_to_send_a_body_is_told_to(server, expected):
    body = json.dumps({"text": TEXTS[0]}).encode()
    with server.raw() as client:
        client.sendall(
            JSON_HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
        client.sendall(body)
        client.shutdown(socket.SHUT_WR)
        answer = read_to_end(client).partition(b"\r\n\r\n")[2]
    assert json.loads(answer) == expected(TEXTS[:1])


def test_body_of_maximum_size_is_answered(server):
    text = "a" * (MAX_BODY_BYTES - len('{"text": ""}'))
    assert post(server.connection(), json.dumps({"text": text}))[0] == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_is_413_while_the_client_sends(server, chunked):
    body = json.dumps({"text": "a" * 5 * MAX_BODY_BYTES}).encode()
    sent = iter([body[:3_000_000], body[3_000_000:]]) if chunked else body
    status, answer = post(server.connection(), sent)
    assert status == 413
    assert answer["error"] == "expected a body of at most 1,000,000 bytes, found more"


def test_slow_client_is_disconnected_without_blocking_others(start, bundle):
    server = start(bundle, program=("-c", SHORT_TIMEOUTS))
    with server.raw() as client:
        client.sendall(JSON_HEAD + b"Content-Length: 900000\r\n\r\n")
        client.settimeout(0.1)
        answer = b""
        for _ in range(10 * TIMEOUT):
            assert server.health()[0] == 200
            with contextlib.suppress(socket.timeout):
                if answer := client.recv(1 << 16):
                    break
            client.sendall(b" ")
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"expected a complete request within 2 seconds" in answer


@pytest.mark.parametrize(
    "sent", [b"", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["new", "kept"]
)
def test_silent_connection_is_closed(start, bundle, sent):
    server = start(bundle, program=("-c", SHORT_TIMEOUTS))
    with server.raw() as client:
        client.sendall(sent)
        read_to_end(client)  # otherwise the test times out


def test_client_that_reads_no_responses_is_disconnected(start, bundle):
    server = start(bundle, program=("-c", SHORT_TIMEOUTS))
    body = json.dumps({"texts": ["a"] * 1000}).encode()
    request = JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with server.raw() as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while True:  # until it is disconnected; otherwise the test times out
            client.sendall(request)
    assert server.health()[0] == 200


def send_all_but_last_byte(server, request):
    """Connect and send a request without its last byte."""
    client = server.raw()
    client.sendall(request[:-1])
    return client, request[-1:]


def wait_until_refused(server):
    """Wait until the server accepts no more connections."""
    deadline = time.monotonic() + TIMEOUT
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < deadline:
            server.raw().close()
            time.sleep(0.01)
        pytest.fail("the server did not stop listening")


def test_pending_requests_are_answered_before_the_server_stops(start, bundle, expected):
    server = start(bundle)
    body = json.dumps({"texts": TEXTS}).encode()
    predict = JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    idle = server.connection()
    assert post(idle, body)[0] == 200  # stays open
    under_way = [send_all_but_last_byte(server, predict) for _ in range(8)] + [
        send_all_but_last_byte(server, health)
    ]
    server.health()  # answered after the others were accepted
    server.process.send_signal(signal.SIGTERM)
    wait_until_refused(server)
    answers = []
    for client, last in under_way:
        with client:
            client.sendall(last)
            answers.append(read_to_end(client).partition(b"\r\n\r\n"))
    assert server.process.wait(TIMEOUT) == 0
    assert [json.loads(body) for _, _, body in answers[:-1]] == [expected(TEXTS)] * 8
    assert all(b"Connection: close" in head for head, _, _ in answers)
    assert answers[-1][0].startswith(b"HTTP/1.1 503 ")
    assert json.loads(answers[-1][2])["status"] == "stopping"
    assert server.log_lines(0) == []


def test_no_response_is_cut_off_when_a_busy_server_stops(start, bundle):
    """Every request gets a complete response, or its connection closes before any byte of one."""
    server = start(bundle)
    answered, halves = [], []

    def ask():
        body = json.dumps({"texts": TEXTS * 20}).encode()
        request = JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
        with contextlib.suppress(ConnectionError):
            while True:
                with server.raw() as client:
                    client.sendall(request)
                    client.shutdown(socket.SHUT_WR)
                    answer = read_to_end(client)
                whole = answer.endswith(b"}]}\n")
                (answered if whole else halves).append(answer)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TIMEOUT
    while len(answered) < 16:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert server.stop() == 0
    for thread in threads:
        thread.join(TIMEOUT)
    assert [half for half in halves if half] == []


def test_sigint_stops_the_server(start, bundle):
    server = start(bundle)
    assert server.stop(signal.SIGINT) == 0
    assert server.log_lines(0) == []


def test_incomplete_request_does_not_delay_the_stop(start, bundle):
    server = start(bundle, program=("-c", SHORT_TIMEOUTS))
    client, _ = send_all_but_last_byte(server, JSON_HEAD + b"Content-Length: 9\r\n\r\n123456789")
    with client:
        server.health()
        assert server.stop() == 0


@pytest.fixture
def current(bundle, tmp_path):
    """A link to the active bundle, as on a device, and a function that repoints it."""
    link = tmp_path / "current"
    link.symlink_to(bundle)

    def switch(target):
        (tmp_path / "next").symlink_to(target)
        (tmp_path / "next").replace(link)  # mv -T

    return link, switch


def model_of(bundle):
    return read_json(bundle / "manifest.json")["files"]["model.tflite"]


def test_sighup_loads_the_bundle_that_the_link_names(start, current, bundle, binary_bundle):
    link, switch = current
    server = start(link)
    for turn, target in enumerate([binary_bundle, bundle], start=1):
        switch(target)
        server.process.send_signal(signal.SIGHUP)
        message = server.log_lines(turn)[-1]
        assert message.startswith(f"glovelite-run: loaded the bundle in {link}, model ")
        assert message.endswith("golden texts replayed")
        assert server.health()[1]["model"] == model_of(target)
    assert server.stop() == 0


def change_golden_text(folder):
    manifest = read_json(folder / "manifest.json")
    manifest["goldens"][1]["probabilities"].reverse()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "does not exist"),
        (lambda folder: (folder / "model.tflite").write_bytes(b"TFL3"), "copy the bundle again"),
        (change_golden_text, "golden text"),
    ],
    ids=["gone", "damaged", "fails its self-test"],
)
def test_sighup_keeps_the_current_bundle_if_the_new_one_is_bad(
    start, current, bundle, expected, tmp_path, damage, message
):
    link, switch = current
    server = start(link)
    damage(shutil.copytree(bundle, tmp_path / "bad"))
    switch(tmp_path / "bad")
    server.process.send_signal(signal.SIGHUP)
    (logged,) = server.log_lines(1)
    assert logged.startswith("glovelite-run: kept the current bundle: ")
    assert message in logged
    assert server.predict(TEXTS) == (200, expected(TEXTS))
    assert server.stop() == 0


def test_no_request_fails_while_bundles_change(start, current, bundle, expected, float_bundle):
    link, switch = current
    server = start(link)
    of_the_other = Classifier.load(float_bundle).predict(TEXTS)
    right = [(200, expected(TEXTS))]
    right.append((200, {"predictions": [prediction.as_dict() for prediction in of_the_other]}))
    wrong, done = [], threading.Event()

    def ask():
        while not done.is_set():
            answer = server.predict(TEXTS)
            wrong.extend([] if answer in right else [answer])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn, target in enumerate([float_bundle, bundle] * 3, start=1):
        switch(target)
        server.process.send_signal(signal.SIGHUP)
        server.log_lines(turn)
    done.set()
    for thread in threads:
        thread.join(TIMEOUT)
    assert wrong == []
    assert server.stop() == 0


def test_abstain_below_applies_to_requests(bundle, tmp_path):
    log = tmp_path / "log"
    server = Server(bundle, log, program=("-m", "glovelite.runtime", "--abstain-below", "1"))
    assert all(prediction["abstained"] for prediction in server.predict(TEXTS)[1]["predictions"])
    assert server.stop() == 0
    server.process.stdout.close()


def test_port_in_use_is_a_one_line_error(server, bundle):
    done = classify(bundle, "--serve", server.port, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"cannot listen on 127.0.0.1, port {server.port} (Address already in use)" in done.stderr


def test_unknown_host_is_a_one_line_error(bundle):
    for host in ("192.0.2.1", "no.such.host.invalid", "x" * 70):
        done = classify(bundle, "--serve", f"{host}:0", check=False)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert f"cannot listen on {host}, port 0" in done.stderr


@pytest.mark.parametrize("address", ["", "http", "localhost", "1:2:x", "65536", "-1", "²", "1e3"])
def test_invalid_address_is_wrong_usage(bundle, address):
    done = classify(bundle, f"--serve={address}", check=False)
    assert done.returncode == 2
    assert "expected [HOST:]PORT" in done.stderr


def test_parse_address_defaults_to_loopback():
    assert parse_address("8080") == parse_address(":8080") == ("127.0.0.1", 8080)
    assert parse_address("0.0.0.0:80") == ("0.0.0.0", 80)
    assert parse_address("[::1]:80") == ("::1", 80)


def test_serve_without_h11_names_the_extra(device_python, bundle):
    clean = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = (device_python, "-m", "glovelite.runtime", bundle, "--serve", "0")
    done = run(*command, check=False, env=clean)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    hint = r"--serve: h11 is not installed: pip install '/.+\[serve\]'"
    assert re.search(hint, done.stderr)


def test_command_loads_no_server_modules_without_serve(device_python):
    program = "import sys, glovelite.runtime.cli.main; print(*sys.modules)"
    loaded = set(run(device_python, "-c", program).stdout.split())
    unwanted = {"h11", "asyncio", "socket", "logging", "http", "queue", "signal"}
    assert not loaded & {
        *unwanted,
        "glovelite.runtime.http.application",
        "glovelite.runtime.http.server",
    }


def test_pages_of_an_allowed_origin_read_all_answers(start, bundle):
    server = start(bundle, options=("--cors", "http://localhost:5173"))
    page = {"Origin": "http://localhost:5173"}
    connection = server.connection()
    asked = {**page, "Access-Control-Request-Method": "POST"}
    connection.request("OPTIONS", "/explain", headers=asked)
    answer = connection.getresponse()
    answer.read()
    assert answer.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    connection.request("POST", "/explain", json.dumps({"text": "a tall tree"}), {**JSON, **page})
    answer = connection.getresponse()
    assert json.loads(answer.read())["explanation"]["label"] == "plant"
    assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
    connection.request("POST", "/predict", b" " * (MAX_BODY_BYTES + 1), {**JSON, **page})
    answer = connection.getresponse()
    assert answer.status == 413
    assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
