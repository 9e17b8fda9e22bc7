"""Measures `glovelite-run --serve` on loopback against the same calls in process.

    python bench/serving.py BUNDLE DEV.jsonl

Texts are dev's: the first sentences of reviews, one a request and 32 a request, and whole reviews.
In process a loop calls `Classifier.predict`; over HTTP so many connections stay open, each sending
its next request when the last is answered, all from this process, which shares the machine's cores
with the server. An answer is a failure unless it is the very bytes that are right. Prints the
README's table and writes `results/serving.json`.
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
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

RESULTS = Path(__file__).parent / "results"
CONNECTIONS = (1, 8, 64)
WARM_SECONDS, SECONDS = 1, 5
IN_PROCESS = """
import json, sys, time
from runtime import Classifier
from runtime.interpreter import interpreter_version
bundle, calls, seconds = json.load(sys.stdin)
classifier = Classifier.load(bundle)
answers = [[each.as_dict() for each in classifier.predict(texts)] for texts in calls]
taken = []
begun = last = time.perf_counter()
while last - begun < seconds:
    classifier.predict(calls[len(taken) % len(calls)])
    now = time.perf_counter()
    taken.append(now - last)
    last = now
print(json.dumps([answers, taken, interpreter_version()]))
"""


class Measured(NamedTuple):
    """What came of one way to ask: seconds of every call, of all together, and the failures."""

    taken: list[float]
    seconds: float
    failures: int = 0

    def summary(self, texts: int) -> dict[str, float]:
        """Give rates, milliseconds and failures for calls of so many texts."""
        calls = len(self.taken) / self.seconds
        return {
            "requests_a_second": round(calls, 1),
            "texts_a_second": round(calls * texts, 1),
            "median_milliseconds": round(statistics.median(self.taken) * 1e3, 3),
            "p99_milliseconds": round(statistics.quantiles(self.taken, n=100)[98] * 1e3, 3),
            "requests": len(self.taken),
            "failures": self.failures,
        }


def workloads(dev: Path) -> dict[str, list[list[str]]]:
    """Give, by name, the lists of texts that one request each carries."""
    reviews = [json.loads(line)["text"] for line in dev.open(encoding="utf-8")][:640]
    sentences = [review.split(". ")[0][:200] for review in reviews]
    return {
        "a sentence": [[sentence] for sentence in sentences],
        "32 sentences": [sentences[first : first + 32] for first in range(0, 640, 32)],
        "a review": [[review] for review in reviews],
    }


def call_in_process(bundle: Path, calls: list[list[str]]) -> tuple[list[object], Measured, str]:
    """Give the right answers, the time of the calls, and on which interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESS],
        input=json.dumps([str(bundle), calls, SECONDS]),
        capture_output=True,
        text=True,
        check=True,
    )
    answers, taken, interpreter = json.loads(done.stdout.splitlines()[-1])
    return answers, Measured(taken, sum(taken)), interpreter


class Client:
    """One open connection that asks and waits."""

    def __init__(self, host: str, port: int, place: int) -> None:
        """Connect; `place` is the request to begin with."""
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.place, self.received, self.begun = place, b"", 0.0

    def ask(self, requests: list[bytes]) -> None:
        """Send the request whose turn it is."""
        self.received, self.begun = b"", time.perf_counter()
        self.socket.sendall(requests[self.place])

    def body(self) -> bytes | None:
        """Receive; give the body once it is whole, with the status line before it if not 200."""
        self.received += self.socket.recv(1 << 20)
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return None
        return body if head.startswith(b"HTTP/1.1 200 ") else head + body


def load(address: str, requests: list[bytes], right: list[bytes], connections: int) -> Measured:
    """Ask over so many connections at once, for a time."""
    where = urlsplit(address)
    clients = [
        Client(where.hostname, where.port, number * 7 % len(requests))
        for number in range(connections)
    ]
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.ask(requests)
    taken, failures = [], 0
    start = time.perf_counter() + WARM_SECONDS
    end = start + SECONDS
    now = time.perf_counter()
    while now < end:
        for key, _ in selector.select():
            client = key.data
            body = client.body()
            if body is None:
                continue
            now = time.perf_counter()
            if client.begun >= start:
                taken.append(now - client.begun)
                failures += body != right[client.place]
            client.place = (client.place + 1) % len(requests)
            client.ask(requests)
    for client in clients:
        client.socket.close()
    return Measured(taken, SECONDS, failures)


def measure_http(bundle: Path, calls: list[list[str]], answers: list[object]) -> dict[str, object]:
    """Serve the bundle and ask it these calls over more and more connections."""
    right = [
        json.dumps({"predictions": each}, ensure_ascii=False).encode() + b"\n" for each in answers
    ]
    requests = []
    for texts in calls:
        body = json.dumps({"texts": texts}).encode()
        head = (
            "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    command = [sys.executable, "-m", "runtime", bundle, "--serve", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[-1]
            return {
                str(count): load(address, requests, right, count).summary(len(calls[0]))
                for count in CONNECTIONS
            }
        finally:
            server.send_signal(signal.SIGTERM)


def main() -> None:
    """Measure and print the table."""
    bundle, dev = map(Path, sys.argv[1:3])
    kept: dict[str, object] = {"cores": os.cpu_count(), "seconds": SECONDS}
    print("| a request | asked | requests/s | texts/s | median, ms | p99, ms | failures |")
    print("|---|---|---|---|---|---|---|")
    for name, calls in workloads(dev).items():
        answers, in_process, kept["interpreter"] = call_in_process(bundle, calls)
        ways = {"in process": in_process.summary(len(calls[0]))}
        for count, found in measure_http(bundle, calls, answers).items():
            ways[f"{count} connection{'s' if count != '1' else ''}"] = found
        kept[name] = ways
        for way, found in ways.items():
            print(
                f"| {name} | {way} | {found['requests_a_second']:,.0f} "
                f"| {found['texts_a_second']:,.0f} | {found['median_milliseconds']:.2f} "
                f"| {found['p99_milliseconds']:.2f} | {found['failures'] or 'none'} |"
            )
    (RESULTS / "serving.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
