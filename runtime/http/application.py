"""The classifier as a WSGI application: JSON in, JSON out, whatever server runs it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from ..bundle import MODEL
from ..classifier import Classifier
from ..errors import GloveliteError, InputError
from ..interpreter import interpreter_version

BODY_BYTES = 1_000_000  # the largest request body
TEXTS = 1_000  # the most texts of one request

HELP = """\
glovelite answers here.

  POST /predict   {"text": "…"} or {"texts": ["…", …]} → {"predictions": [{"label": …}, …]}
  GET  /health    whether it answers, and with which bundle

  curl http://127.0.0.1:8080/predict -H 'Content-Type: application/json' \\
    -d '{"text": "a text to classify"}'
""".encode()
PATHS = {"/": ("GET", "HEAD"), "/health": ("GET", "HEAD"), "/predict": ("POST",)}
REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
JSON, TEXT = "application/json", "text/plain; charset=utf-8"
Headers = list[tuple[str, str]]


class Application:
    """A classifier as a WSGI application, whatever server runs it.

    Attributes:
        classifier: what answers; safe to reload meanwhile.
        stopping: set it where the server is about to stop: `/health` is 503 from then on.
    """

    def __init__(self, classifier: Classifier) -> None:
        """Make an application.

        Args:
            classifier: what answers.
        """
        self.classifier = classifier
        self.stopping = False
        self._interpreter = interpreter_version()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[[str, Headers], object]
    ) -> Iterable[bytes]:
        """Answer one request, as PEP 3333 says."""
        method = environ["REQUEST_METHOD"]
        try:
            status, headers, body = self._answer(method, environ.get("PATH_INFO", ""), environ)
        except Refusal as refusal:
            status, headers = refusal.status, refusal.headers
            body = as_json({"error": str(refusal)})
        except Exception as error:  # the one place where what nobody thought of ends
            say(f"{method} failed: {type(error).__name__}: {error}")
            status, headers, body = 500, [], as_json({"error": "this is a fault of the server"})
        kind = TEXT if body is HELP else JSON
        headers = [*headers, ("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(f"{status} {REASONS[status]}", headers)
        return [] if method == "HEAD" else [body]

    def reload(self) -> None:
        """Change to the bundle that is in the folder now, or keep the old one; tell the log."""
        try:
            found = self.classifier.reload()
        except GloveliteError as error:
            say(f"kept the bundle there was: {error}")
        except Exception as error:  # no memory, a faulty disk: no reason to stop answering
            say(f"kept the bundle there was: {type(error).__name__}: {error}")
        else:
            bundle = self.classifier.bundle
            model = bundle.manifest["files"][MODEL]["sha256"][:12]
            test = f"{found.goldens} golden texts replayed"
            say(f"took the bundle in {bundle.path}, model {model}…, {test}")

    def _answer(
        self, method: str, path: str, environ: dict[str, Any]
    ) -> tuple[int, Headers, bytes]:
        if path not in PATHS:
            raise Refusal(404, f"expected the path {', '.join(PATHS)}, found {_shown(path)}")
        allowed = [("Allow", ", ".join((*PATHS[path], "OPTIONS")))]
        if method == "OPTIONS":
            return 200, allowed, b""
        if method not in PATHS[path]:
            what = f"expected {PATHS[path][0]} {path}, found {_shown(method)}"
            raise Refusal(405, what, allowed)
        if path == "/":
            return 200, [], HELP
        if path == "/health":
            return 503 if self.stopping else 200, [], as_json(self._health())
        predictions = self.classifier.predict(parse_texts(_read_body(environ)))
        return 200, [], as_json({"predictions": [each.as_dict() for each in predictions]})

    def _health(self) -> dict[str, Any]:
        bundle = self.classifier.bundle
        return {
            "status": "stopping" if self.stopping else "ok",
            "recipe": bundle.manifest.get("recipe"),
            "labels": bundle.vocabulary.labels,
            "model": bundle.manifest["files"][MODEL],
            "interpreter": self._interpreter,
        }


class Refusal(InputError):
    """A request that is not answered; its text is one line for whoever wrote the client.

    Attributes:
        status: of HTTP.
        headers: what the answer says beside it.
    """

    def __init__(self, status: int, problem: str, headers: Headers | None = None) -> None:
        """Make a refusal.

        Args:
            status: of HTTP.
            problem: what was expected and what came.
            headers: what the answer says beside it.
        """
        super().__init__(problem)
        self.status, self.headers = status, headers or []


def parse_texts(body: bytes) -> list[str]:
    """Read the texts of a request, believing nothing.

    Args:
        body: `b'{"text": "a"}'` or `b'{"texts": ["a", "b"]}'`, JSON in UTF-8.

    Returns:
        The texts: `["a"]` or `["a", "b"]`.

    Raises:
        Refusal: it is anything else.
    """
    try:
        content = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_int=float,  # none is wanted, and int() takes its time over a million digits
        )
    except UnicodeDecodeError as error:
        raise Refusal(400, f"expected UTF-8: {error.reason} at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"expected JSON: {error}") from None
    if not isinstance(content, dict) or content.keys() not in ({"text"}, {"texts"}):
        raise Refusal(400, f'expected {{"text": …}} or {{"texts": […]}}, found {_kind(content)}')
    texts = [content["text"]] if "text" in content else content["texts"]
    if not isinstance(texts, list):
        raise Refusal(400, f'expected "texts" to be a list, found {_kind(texts)}')
    if len(texts) > TEXTS:
        raise Refusal(413, f"expected at most {TEXTS:,} texts in a request, found {len(texts):,}")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise Refusal(400, f"expected text {row} to be a string, found {_kind(text)}")
    return texts


def _read_body(environ: dict[str, Any]) -> bytes:
    kind, _, rest = environ.get("CONTENT_TYPE", "").partition(";")
    charset = rest.lower().replace(" ", "").replace('"', "")
    # A browser sends any other kind to us for any page that asks it to, and this one for none.
    if kind.strip().lower() != JSON or charset not in ("", "charset=utf-8"):
        found = _shown(environ.get("CONTENT_TYPE", "")) if kind else "none"
        raise Refusal(415, f"expected the Content-Type {JSON}, found {found}")
    length = environ.get("CONTENT_LENGTH", "")
    if not length:
        raise Refusal(411, "expected a Content-Length, found none")
    if not (length.isascii() and length.isdigit()):
        raise Refusal(400, f"expected a number as Content-Length, found {_shown(length)}")
    if len(length) > 20 or int(length) > BODY_BYTES:
        raise Refusal(413, f"expected a body of at most {BODY_BYTES:,} bytes, found {length:.20}")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return content


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return f"an object of {', '.join(map(_shown, list(value)[:5])) or 'nothing'}"
    kinds = {list: "a list", str: "a string", float: "a number", bool: "true or false"}
    return kinds.get(type(value), "null")


def _shown(text: str) -> str:
    """Quote what came, no longer than a line needs."""
    return json.dumps(text if len(text) <= 40 else text[:39] + "…", ensure_ascii=False)


def as_json(content: dict[str, Any]) -> bytes:
    """Write the body of an answer.

    Args:
        content: what it holds.

    Returns:
        One line of JSON in UTF-8.
    """
    # What UTF-8 cannot hold, a lone surrogate in a label, is escaped as JSON escapes it.
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def say(line: str) -> None:
    """Tell the log, which is standard error; a log that is full or closed stops nothing.

    Args:
        line: what to tell; made one line if it is not.
    """
    with contextlib.suppress(OSError, ValueError):
        print(f"glovelite-run: {' '.join(line.split())}", file=sys.stderr, flush=True)
