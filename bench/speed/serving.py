"""Measures `glovelite-run --serve` on loopback against the same calls in process.

    python -m bench.speed.serving BUNDLE DEV.jsonl

The texts are dev text: the first sentences of reviews, one per request and 32 per request, and
whole reviews. In process, a loop calls `Classifier.predict`. Over HTTP, several connections stay
open, each sending its next request when the last is answered; all run in this process, which shares
the machine's cores with the server. A response other than the exact expected bytes is a failure.
Prints a Markdown table and writes `results/serving.json`.
"""

import json
import os
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.datasets import read_texts
from bench.reporting import RESULTS, print_table, write_json

CONNECTIONS = (1, 8, 64)
WARM_UP_SECONDS, SECONDS = 1, 5
CALL_IN_PROCESS = """
import json, sys, time
from glovelite import Classifier
from glovelite.runtime.interpreter import interpreter_version
bundle, calls, seconds = json.load(sys.stdin)
classifier = Classifier.load(bundle)
answers = [[each.as_dict() for each in classifier.predict(texts)] for texts in calls]
times = []
start = last = time.perf_counter()
while last - start < seconds:
    classifier.predict(calls[len(times) % len(calls)])
    now = time.perf_counter()
    times.append(now - last)
    last = now
print(json.dumps([answers, times, interpreter_version()]))
"""


@dataclass(frozen=True)
class Load:
    """Rates and latency of one client.

    Attributes:
        requests_a_second: requests (or calls in process) per second.
        texts_a_second: texts per second.
        median_milliseconds: median duration of a request.
        p99_milliseconds: 99th percentile of the duration.
        requests: number of requests.
        failures: responses other than the expected bytes.
    """

    requests_a_second: float
    texts_a_second: float
    median_milliseconds: float
    p99_milliseconds: float
    requests: int
    failures: int


def summarize(times: list[float], seconds: float, texts: int, failures: int = 0) -> Load:
    """Summarize requests.

    Args:
        times: seconds of each request.
        seconds: seconds of all together.
        texts: texts per request.
        failures: responses other than the expected bytes.
    """
    rate = len(times) / seconds
    return Load(
        requests_a_second=round(rate, 1),
        texts_a_second=round(rate * texts, 1),
        median_milliseconds=round(statistics.median(times) * 1e3, 3),
        p99_milliseconds=round(statistics.quantiles(times, n=100)[98] * 1e3, 3),
        requests=len(times),
        failures=failures,
    )


def workloads(dev: Path) -> dict[str, list[list[str]]]:
    """Return name -> the texts of each request."""
    reviews = read_texts(dev)[:640]
    sentences = [review.split(". ")[0][:200] for review in reviews]
    return {
        "a sentence": [[sentence] for sentence in sentences],
        "32 sentences": [sentences[start : start + 32] for start in range(0, 640, 32)],
        "a review": [[review] for review in reviews],
    }


def call_in_process(bundle: Path, calls: list[list[str]]) -> tuple[list[object], Load, str]:
    """Return the expected answers, the load in process, and the interpreter's version."""
    done = subprocess.run(
        [sys.executable, "-c", CALL_IN_PROCESS],
        input=json.dumps([str(bundle), calls, SECONDS]),
        capture_output=True,
        text=True,
        check=True,
    )
    answers, times, interpreter = json.loads(done.stdout.splitlines()[-1])
    return answers, summarize(times, sum(times), len(calls[0])), interpreter


class Client:
    """An open connection with at most one request in flight."""

    def __init__(self, host: str, port: int, index: int) -> None:
        """Connect; `index` is the first request."""
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.index, self.received, self.start = index, b"", 0.0

    def send(self, requests: list[bytes]) -> None:
        """Send the current request."""
        self.received, self.start = b"", time.perf_counter()
        self.socket.sendall(requests[self.index])

    def receive(self) -> bytes | None:
        """Return the body once it is complete, with the head before it if the status is not 200."""
        self.received += self.socket.recv(1 << 20)
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return None
        return body if head.startswith(b"HTTP/1.1 200 ") else head + body


def generate_load(
    address: str, requests: list[bytes], expected: list[bytes], connections: int, texts: int
) -> Load:
    """Send requests over several connections at once, for `SECONDS`."""
    url = urlsplit(address)
    selector = selectors.DefaultSelector()
    clients = [Client(url.hostname, url.port, n * 7 % len(requests)) for n in range(connections)]
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(requests)
    times, failures = [], 0
    start = time.perf_counter() + WARM_UP_SECONDS
    now = time.perf_counter()
    while now < start + SECONDS:
        for key, _ in selector.select():
            client = key.data
            body = client.receive()
            if body is None:
                continue
            now = time.perf_counter()
            if client.start >= start:
                times.append(now - client.start)
                failures += body != expected[client.index]
            client.index = (client.index + 1) % len(requests)
            client.send(requests)
    for client in clients:
        client.socket.close()
    return summarize(times, SECONDS, texts, failures)


def measure_http(bundle: Path, calls: list[list[str]], answers: list[object]) -> dict[int, Load]:
    """Serve the bundle and measure it at increasing numbers of connections."""
    expected = [
        json.dumps({"predictions": answer}, ensure_ascii=False).encode() + b"\n"
        for answer in answers
    ]
    requests = []
    for texts in calls:
        body = json.dumps({"texts": texts}).encode()
        head = (
            "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    command = [sys.executable, "-m", "glovelite.runtime", bundle, "--serve", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[-1]
            return {
                count: generate_load(address, requests, expected, count, len(calls[0]))
                for count in CONNECTIONS
            }
        finally:
            server.send_signal(signal.SIGTERM)


def main() -> None:
    """Measure and print the table."""
    bundle, dev = map(Path, sys.argv[1:3])
    results: dict[str, Any] = {"cores": os.cpu_count(), "seconds": SECONDS}
    rows = []
    for name, calls in workloads(dev).items():
        answers, in_process, results["interpreter"] = call_in_process(bundle, calls)
        loads = {"in process": in_process}
        for count, load in measure_http(bundle, calls, answers).items():
            loads[f"{count} connection{'s' if count > 1 else ''}"] = load
        results[name] = {client: asdict(load) for client, load in loads.items()}
        rows += [[name, client, *_cells(load)] for client, load in loads.items()]
    write_json(RESULTS / "serving.json", results)
    header = ["a request", "client", "requests/s", "texts/s", "median, ms", "p99, ms", "failures"]
    print_table(header, rows)


def _cells(load: Load) -> list[str]:
    return [
        f"{load.requests_a_second:,.0f}",
        f"{load.texts_a_second:,.0f}",
        f"{load.median_milliseconds:.2f}",
        f"{load.p99_milliseconds:.2f}",
        str(load.failures or "none"),
    ]


if __name__ == "__main__":
    main()
