"""`glovelite-run --serve`, the real server in a process of its own, asked over real sockets."""

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
from helpers import ROOT, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import Classifier
from runtime.http.application import BODY_BYTES
from runtime.http.serve import parse_address

TEXTS = ["a tall tree with leaves", "someone who sings", "", "a sweet cake " * 40]
JSON = {"Content-Type": "application/json"}
JSON_HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
HURRIED = """
import sys
import runtime.http.waitress_server
from runtime.cli import main
runtime.http.waitress_server.CLIENT_SECONDS = 4
runtime.http.waitress_server.STOP_SECONDS = 1
main()
"""
HANGS = 120  # seconds after which a test gives up; nothing is asserted of the time it takes


class Server:
    """A server that runs, and how to ask it."""

    def __init__(self, bundle, log, program=("-m", "runtime")):
        self.log = log
        command = [sys.executable, *program, bundle, "--serve", "0"]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        self.ready = self.process.stdout.readline().decode()
        self.port = int(self.ready.rsplit(":", 1)[1])

    def connection(self):
        return HTTPConnection("127.0.0.1", self.port, timeout=HANGS)

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=HANGS)

    def send(self, sent):
        """Send bytes and no more; give all that comes until the server closes."""
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

    def told(self, count):
        """Wait until the log has so many lines and give them."""
        until = time.monotonic() + HANGS
        while len(lines := self.log.read_text("utf-8").split("\n")[:-1]) < count:
            assert time.monotonic() < until, lines
            time.sleep(0.02)
        return lines

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(HANGS)


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
    """Starts servers, and ends those that the test left."""
    with contextlib.ExitStack() as running:

        def begin(bundle, **options):
            server = Server(bundle, tmp_path / "log", **options)
            running.callback(server.process.stdout.close)
            running.callback(server.process.wait, HANGS)
            running.callback(server.process.kill)
            return server

        yield begin


@pytest.fixture(scope="module")
def server(bundle, tmp_path_factory):
    """One server for all the tests that must do it no harm; its log stays empty."""
    log = tmp_path_factory.mktemp("server") / "log"
    server = Server(bundle, log)
    yield server
    status, _ = server.health()
    assert server.stop() == 0
    server.process.stdout.close()
    assert (status, log.read_text("utf-8")) == (200, "")


@pytest.fixture(scope="module")
def expected(bundle):
    """What the same calls give in process."""
    classifier = Classifier.load(bundle)

    def answers(texts):
        return {"predictions": [each.as_dict() for each in classifier.predict(texts)]}

    return answers


def test_it_says_where_it_answers_and_that_is_this_machine_alone(server, bundle):
    assert re.fullmatch(
        f"glovelite-run: {re.escape(str(bundle))} answers at http://127\\.0\\.0\\.1:\\d+\n",
        server.ready,
    )


def test_answers_are_those_of_the_call_in_process(server, expected):
    assert server.predict(TEXTS) == (200, expected(TEXTS))


def test_a_connection_is_kept_for_further_requests_even_refused_ones(server, expected):
    connection = server.connection()
    connection.connect()
    kept = connection.sock
    for _ in range(3):
        assert post(connection, json.dumps({"text": TEXTS[0]})) == (200, expected(TEXTS[:1]))
        assert post(connection, "{")[0] == 400
        assert post(connection, "{}", {})[0] == 415
    assert connection.sock is kept


def test_requests_sent_ahead_are_answered_in_order(server, expected):
    bodies = [json.dumps({"text": text}).encode() for text in TEXTS]
    requests = [JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies]
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with server.raw() as client:
        client.sendall(b"".join(requests) + last)
        answers = re.split(rb"(?=HTTP/1\.1 )", read_to_end(client))[1:]
    found = [json.loads(answer.partition(b"\r\n\r\n")[2]) for answer in answers]
    assert found[:-1] == [expected([text]) for text in TEXTS]


def test_64_connections_at_once_get_the_right_answers(server, expected):
    everyone = threading.Barrier(64)

    def ask(number):
        connection, wrong = server.connection(), []
        connection.connect()
        everyone.wait(HANGS)
        for turn in range(10):
            texts = [f"{text} {number} {turn}" for text in TEXTS] * (20 if turn == 5 else 1)
            answer = post(connection, json.dumps({"texts": texts}))
            wrong += [] if answer == (200, expected(texts)) else [answer]
        connection.close()
        return wrong

    with ThreadPoolExecutor(64) as pool:
        assert [wrong for wrong in pool.map(ask, range(64)) if wrong] == []


def test_connections_that_say_nothing_keep_none_waiting(server, expected):
    with contextlib.ExitStack() as silent:
        for number in range(100):
            client = silent.enter_context(server.raw())
            client.sendall(b"POST /predict HTTP/1.1\r\n"[: number % 24])
        assert server.predict(TEXTS) == (200, expected(TEXTS))


MALFORMED = [
    (b"", None),
    (b"\r\n\r\n\r\n\r\n", None),
    (b"GET /health HTTP/1.1\r\n", None),  # and no more
    (JSON_HEAD + b'Content-Length: 999\r\n\r\n{"text"', None),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # as https:// begins
    (b"\0\0\0\0\r\n\r\n", 400),
    (b"GET\r\n\r\n", 400),
    (b"get /health HTTP/1.1\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\nHost: x\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nno colon\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\n folded: x\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nA: \0\r\n\r\n", 400),
    (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
    (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\n\r\n", 404),
    (b"POST /reload HTTP/1.1\r\n\r\n", 404),
    (b"BREW /predict HTTP/1.1\r\n\r\n", 405),
    (b"GET /health HTTP/9.9\r\n\r\n", 200),
    (b"GET /health\r\n\r\n", 200),
    (JSON_HEAD + b"\r\n", 411),
    (JSON_HEAD + b"Content-Length: x\r\n\r\n", 400),
    (JSON_HEAD + b"Content-Length: -1\r\n\r\n", 400),
    (JSON_HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
    (JSON_HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
    (JSON_HEAD + b"Content-Length: 999999999999\r\n\r\n", 413),
    (JSON_HEAD + b'Content-Length: 3\r\n\r\n{"text": "a"}', 400),
    (JSON_HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}}}\r\n0\r\n\r\n", 400),
    (JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"text":\r\n3\r\n""}\r\n0\r\n\r\n', 200),
    (b"GET /health HTTP/1.1\r\nCookie: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    (b"GET /" + b"x" * 100_000, 431),
]


@pytest.mark.parametrize(("sent", "status"), MALFORMED, ids=[str(m[-40:]) for m, _ in MALFORMED])
def test_a_malformed_request_is_told_so_and_harms_nobody(server, sent, status):
    answer = server.send(sent)
    if status is None:  # it waited for more, and the client went
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
    + b"Content-Length:,Content-Type: application/json,Expect:,Transfer-Encoding:".split(b",")
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(parts=st.lists(FRAGMENTS | st.binary(max_size=20), max_size=30))
def test_any_bytes_harm_nobody(server, parts):
    answer = server.send(b"".join(parts))
    assert answer == b"" or answer.startswith(b"HTTP/1.")
    assert b"500 Internal" not in answer
    assert server.health()[0] == 200


def test_a_body_of_the_limit_is_answered(server):
    text = "a" * (BODY_BYTES - len('{"text": ""}'))
    assert post(server.connection(), json.dumps({"text": text}))[0] == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413_even_to_a_client_that_sends_it_all(server, chunked):
    body = json.dumps({"text": "a" * 5 * BODY_BYTES}).encode()
    sent = iter([body[:3_000_000], body[3_000_000:]]) if chunked else body
    status, answer = post(server.connection(), sent)
    assert status == 413
    assert answer["error"] == "expected a body of at most 1,000,000 bytes, found more"


def test_a_client_that_sends_byte_by_byte_is_cut_off_and_keeps_none_waiting(start, bundle):
    server = start(bundle, program=("-c", HURRIED))
    with server.raw() as client:
        client.sendall(JSON_HEAD + b"Content-Length: 900000\r\n\r\n")
        client.settimeout(0.1)
        answer = b""
        for _ in range(10 * HANGS):
            assert server.health()[0] == 200
            with contextlib.suppress(socket.timeout):
                if answer := client.recv(1 << 16):
                    break
            client.sendall(b" ")
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"expected a whole request within 4 seconds" in answer


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\n\r\n"], ids=["new", "kept"])
def test_a_silent_connection_is_closed(start, bundle, sent):
    server = start(bundle, program=("-c", HURRIED))
    with server.raw() as client:
        client.sendall(sent)
        read_to_end(client)  # else it times out


def test_a_client_that_does_not_take_its_answers_is_cut_off(start, bundle):
    server = start(bundle, program=("-c", HURRIED))
    body = json.dumps({"texts": ["a"] * 1000}).encode()
    request = JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with server.raw() as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while True:  # until it is cut off; else it times out
            client.sendall(request)
    assert server.health()[0] == 200


def half_sent(server, request):
    """Connect and send all of a request but its last byte."""
    client = server.raw()
    client.sendall(request[:-1])
    return client, request[-1:]


def wait_until_refused(server):
    """Wait until the server accepts no more."""
    until = time.monotonic() + HANGS
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < until:
            server.raw().close()
            time.sleep(0.01)
        pytest.fail("the server did not stop listening")


def test_what_is_under_way_is_answered_before_the_end(start, bundle, expected):
    server = start(bundle)
    body = json.dumps({"texts": TEXTS}).encode()
    predict = JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    idle = server.connection()
    assert post(idle, body)[0] == 200  # and stays open
    under_way = [half_sent(server, predict) for _ in range(8)] + [half_sent(server, health)]
    server.health()  # they were accepted before this one
    server.process.send_signal(signal.SIGTERM)
    wait_until_refused(server)
    answers = []
    for client, last in under_way:
        with client:
            client.sendall(last)
            answers.append(read_to_end(client).partition(b"\r\n\r\n"))
    assert server.process.wait(HANGS) == 0
    assert [json.loads(body) for _, _, body in answers[:-1]] == [expected(TEXTS)] * 8
    assert all(b"Connection: close" in head for head, _, _ in answers)
    assert answers[-1][0].startswith(b"HTTP/1.1 503 ")
    assert json.loads(answers[-1][2])["status"] == "stopping"
    assert server.told(0) == []


def test_no_request_of_a_busy_moment_is_lost_at_the_end(start, bundle):
    """Every request is answered, or its connection was closed before anything of an answer."""
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
    until = time.monotonic() + HANGS
    while len(answered) < 16:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert server.stop() == 0
    for thread in threads:
        thread.join(HANGS)
    assert [half for half in halves if half] == []


def test_ctrl_c_ends_it_as_well(start, bundle):
    server = start(bundle)
    assert server.stop(signal.SIGINT) == 0
    assert server.told(0) == []


def test_a_client_that_never_ends_its_request_does_not_hold_the_stop(start, bundle):
    server = start(bundle, program=("-c", HURRIED))
    client, _ = half_sent(server, JSON_HEAD + b"Content-Length: 9\r\n\r\n123456789")
    with client:
        server.health()
        assert server.stop() == 0


@pytest.fixture
def current(bundle, tmp_path):
    """A link to the bundle in use, as a device has it, and how to put it to another."""
    link = tmp_path / "current"
    link.symlink_to(bundle)

    def switch(target):
        (tmp_path / "next").symlink_to(target)
        (tmp_path / "next").replace(link)  # mv -T

    return link, switch


def model_of(bundle):
    return json.loads((bundle / "manifest.json").read_text("utf-8"))["files"]["model.tflite"]


def test_sighup_takes_the_bundle_the_link_names_now_and_the_way_back(
    start, current, bundle, binary_bundle
):
    link, switch = current
    server = start(link)
    for turn, target in enumerate([binary_bundle, bundle], start=1):
        switch(target)
        server.process.send_signal(signal.SIGHUP)
        told = server.told(turn)[-1]
        assert told.startswith(f"glovelite-run: took the bundle in {link}, model ")
        assert told.endswith("golden texts replayed")
        assert server.health()[1]["model"] == model_of(target)
    assert server.stop() == 0


def wrong_goldens(folder):
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["goldens"][1]["probabilities"].reverse()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (shutil.rmtree, "does not exist"),
        (lambda folder: (folder / "model.tflite").write_bytes(b"TFL3"), "copy the bundle again"),
        (wrong_goldens, "golden text"),
    ],
    ids=["gone", "damaged", "fails its self-test"],
)
def test_sighup_keeps_the_bundle_there_was_where_the_new_one_is_no_good(
    start, current, bundle, expected, tmp_path, harm, said
):
    link, switch = current
    server = start(link)
    harm(shutil.copytree(bundle, tmp_path / "bad"))
    switch(tmp_path / "bad")
    server.process.send_signal(signal.SIGHUP)
    (told,) = server.told(1)
    assert told.startswith("glovelite-run: kept the bundle there was: ")
    assert said in told
    assert server.predict(TEXTS) == (200, expected(TEXTS))
    assert server.stop() == 0


def test_no_request_fails_while_bundles_change(start, current, bundle, expected, float_bundle):
    link, switch = current
    server = start(link)
    of_the_other = Classifier.load(float_bundle).predict(TEXTS)
    right = [(200, expected(TEXTS))]
    right.append((200, {"predictions": [each.as_dict() for each in of_the_other]}))
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
        server.told(turn)
    done.set()
    for thread in threads:
        thread.join(HANGS)
    assert wrong == []
    assert server.stop() == 0


def test_the_threshold_of_the_command_line_holds(bundle, tmp_path):
    log = tmp_path / "log"
    server = Server(bundle, log, program=("-m", "runtime", "--abstain-below", "1"))
    assert all(each["abstained"] for each in server.predict(TEXTS)[1]["predictions"])
    assert server.stop() == 0
    server.process.stdout.close()


def refused(bundle, address, python=sys.executable, **options):
    return run(python, "-m", "runtime", bundle, "--serve", address, check=False, **options)


def test_a_port_in_use_is_one_line_and_status_1(server, bundle):
    done = refused(bundle, server.port)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"cannot listen at 127.0.0.1, port {server.port} (Address already in use)" in done.stderr


def test_a_host_that_is_not_here_is_one_line_and_status_1(bundle):
    for host in ("192.0.2.1", "no.such.host.invalid", "x" * 70):
        done = refused(bundle, f"{host}:0")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert f"cannot listen at {host}, port 0" in done.stderr


@pytest.mark.parametrize("address", ["", "http", "localhost", "1:2:x", "65536", "-1", "²", "1e3"])
def test_what_is_no_address_is_wrong_usage(bundle, address):
    done = run(sys.executable, "-m", "runtime", bundle, f"--serve={address}", check=False)
    assert done.returncode == 2
    assert "expected [HOST:]PORT" in done.stderr


def test_a_host_other_than_this_machine_must_be_named():
    assert parse_address("8080") == parse_address(":8080") == ("127.0.0.1", 8080)
    assert parse_address("0.0.0.0:80") == ("0.0.0.0", 80)
    assert parse_address("[::1]:80") == ("::1", 80)


def test_without_waitress_it_says_what_to_install(device_python, bundle):
    clean = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = refused(bundle, 0, device_python, env=clean)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "--serve needs waitress: pip install 'glovelite[serve]'" in done.stderr


def test_a_command_that_does_not_serve_loads_nothing_for_it(device_python):
    program = "import sys, runtime.cli; print(*sys.modules)"
    loaded = set(run(device_python, "-c", program).stdout.split())
    unwanted = {"waitress", "socket", "logging", "http", "queue", "signal"}
    assert not loaded & {*unwanted, "runtime.http.application", "runtime.http.waitress_server"}
