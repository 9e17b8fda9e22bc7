"""What the HTTP server answers: JSON in, JSON out."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import unquote, urlsplit

from ..bundle import MODEL_FILE
from ..classifier import Classifier
from ..decision import AbstentionRule
from ..errors import GloveliteError, InputError
from ..interpreter import interpreter_version
from ..trained_text import HTML_IS_REMOVED, UNRECORDED, TrainedText
from .cross_origin import CrossOrigin

MAX_BODY_BYTES = 1_000_000
MAX_TEXTS = 1_000  # per request

HELP = """\
glovelite text classifier.

  POST /predict   {"text": "…"} or {"texts": ["…", …]} → {"predictions": [{"label": …}, …]};
                  also with "top": 3, for the probabilities of the 3 most probable labels
  POST /explain   {"text": "…"}, also with a "label" → {"prediction": …, "explanation": …}
  GET  /health    status, current bundle, what was classified

  curl {url}/predict -H 'Content-Type: application/json' \\
    -d '{"text": "a text to classify"}'
"""
PREDICT, EXPLAIN = "/predict", "/explain"
PATHS = {
    "/": ("GET", "HEAD"),
    "/health": ("GET", "HEAD"),
    PREDICT: ("POST",),
    EXPLAIN: ("POST",),
}
JSON, TEXT = "application/json", "text/plain; charset=utf-8"
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_FORMS = ('{"text": …}', '{"texts": […]}')
Headers = list[tuple[str, str]]
Response = tuple[int, Headers, bytes]  # HTTP status, headers, body


class Application:
    """Answers requests with a classifier, for any server.

    Attributes:
        classifier: the loaded bundle; may be reloaded while requests are answered.
        stopping: set by the server before it stops; `/health` answers 503 from then on.
    """

    def __init__(
        self, classifier: Classifier, address: str, cross_origin: CrossOrigin | None = None
    ) -> None:
        """Wrap a classifier.

        Args:
            classifier: the loaded bundle.
            address: such as `http://127.0.0.1:8080`, for clients that do not name it.
            cross_origin: the pages of other origins that may use it; None for none.
        """
        self.classifier = classifier
        self.stopping = False
        self._address = address
        self._cross_origin = cross_origin or CrossOrigin()
        self._interpreter = interpreter_version()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer one request.

        Args:
            method: such as `"POST"`.
            target: path or URL, such as `"/predict"`.
            headers: lower-case name -> value.
            body: the complete body.

        Returns:
            Status, headers and body.
        """
        try:
            response = self._answer(method, target, headers, body)
        except RequestError as error:
            response = error.response()
        except Exception as error:  # an unexpected error must not stop the server
            log(f"{method} failed: {type(error).__name__}: {error}")
            response = RequestError(500, "internal server error").response()
        status, sent, content = self.allow_origin(response, headers)
        return status, sent, b"" if method == "HEAD" else content

    def allow_origin(self, response: Response, headers: Mapping[str, str]) -> Response:
        """Return a response that the page with these request headers may read, if it is allowed."""
        status, sent, content = response
        return status, [*sent, *self._cross_origin.response_headers(headers)], content

    def reload(self) -> None:
        """Switch to the bundle that is in the folder now, or keep the current one; log which."""
        try:
            result = self.classifier.reload()
        except GloveliteError as error:
            log(f"kept the current bundle: {error}")
        except Exception as error:  # out of memory, a faulty disk: keep answering
            log(f"kept the current bundle: {type(error).__name__}: {error}")
        else:
            bundle = self.classifier.bundle
            sha256 = bundle.manifest["files"][MODEL_FILE]["sha256"][:12]
            replayed = f"{result.goldens} golden texts replayed"
            log(f"loaded the bundle in {bundle.path}, model {sha256}…, {replayed}")

    def _answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        path = _parse_path(target)
        if path not in PATHS:
            raise RequestError(404, f"expected the path {', '.join(PATHS)}, found {_quote(path)}")
        methods = ", ".join((*PATHS[path], "OPTIONS"))
        allowed = ("Allow", methods)
        if method == "OPTIONS":
            asked = self._cross_origin.preflight_headers(headers, methods)
            return _respond(200, b"", allowed, *asked)
        if method not in PATHS[path]:
            problem = f"expected {PATHS[path][0]} {path}, found {_quote(method)}"
            raise RequestError(405, problem, allowed)
        if path == "/":
            host = headers.get("host", "")
            url = f"http://{host}" if HOST.fullmatch(host) else self._address
            return _respond(200, self._help(url).encode(), kind=TEXT)
        if path == "/health":
            return _respond(503 if self.stopping else 200, to_json(self._health()))
        _check_body(headers, body)
        answer = self._explain(body) if path == EXPLAIN else self._predict(body)
        return _respond(200, to_json(answer))

    def _predict(self, body: bytes) -> dict[str, Any]:
        texts, top = parse_texts(body, self.classifier.bundle.text)
        predictions = self.classifier.predict(texts)
        return {"predictions": [prediction.as_dict(top) for prediction in predictions]}

    def _explain(self, body: bytes) -> dict[str, Any]:
        """Return a prediction and what explains it, in the fields of `--explain --json`."""
        text, label = parse_explained(body, self.classifier.bundle.text)
        (prediction,) = self.classifier.predict(text)
        multi_label = self.classifier.bundle.vocabulary.multi_label
        labels = [label] if label is not None else prediction.labels or [prediction.label]
        try:
            explained = [self.classifier.explain(text, label).as_dict() for label in labels]
        except InputError as error:
            raise RequestError(400, str(error)) from None
        name, value = ("explanations", explained) if multi_label else ("explanation", explained[0])
        return {"prediction": prediction.as_dict(), name: value}

    def _help(self, url: str) -> str:
        trained = self.classifier.bundle.text
        read = f"\n  POST /predict   {_show_records(trained)}: as in training\n"
        html = f"\n  {HTML_IS_REMOVED}.\n"
        return HELP.replace("{url}", url) + read * bool(trained.columns) + html * trained.strip_html

    def _health(self) -> dict[str, Any]:
        bundle = self.classifier.bundle
        return {
            "status": "stopping" if self.stopping else "ok",
            "recipe": bundle.manifest.get("recipe"),
            "labels": bundle.vocabulary.labels,
            "multi_label": bundle.vocabulary.multi_label,
            "text": bundle.text.as_json(),
            "model": bundle.manifest["files"][MODEL_FILE],
            "interpreter": self._interpreter,
            "abstention": _describe_abstention(self.classifier.abstention),
            "usage": asdict(self.classifier.usage),
        }


def _describe_abstention(rule: AbstentionRule) -> dict[str, Any]:
    """Describe when predictions are abstained from, and what is known of the others' accuracy."""
    thresholds = {"labels": rule.labels} if rule.labels else {"probability": rule.probability}
    accuracy = None if rule.relies_on_none else rule.accuracy
    return {**thresholds, "accuracy": accuracy, "wanted": rule.wanted}


class RequestError(InputError):
    """A request that cannot be answered; the message is one line for the client's author.

    Attributes:
        status: HTTP status.
        headers: additional response headers.
    """

    def __init__(self, status: int, problem: str, *headers: tuple[str, str]) -> None:
        """State what was expected and what was found."""
        super().__init__(problem)
        self.status, self.headers = status, headers

    def response(self) -> Response:
        """Return the response that says so."""
        return _respond(self.status, to_json({"error": str(self)}), *self.headers)


def parse_texts(body: bytes, trained: TrainedText = UNRECORDED) -> tuple[list[str], int | None]:
    """Parse the texts to predict: `b'{"texts": ["a", "b"], "top": 3}'` -> `(["a", "b"], 3)`.

    Args:
        body: `{"text": …}`, `{"texts": […]}`, or, if the columns of the training are known,
            `{"records": [{COLUMN: …, …}, …]}`, JSON in UTF-8; any of them also with `top`.
        trained: how training read the texts; they are read in the same way.

    Returns:
        The texts, and how many probabilities the answer has for each; None for all.

    Raises:
        RequestError: it is anything else.
    """
    content = _parse_body(body)
    top = _parse_top(content.pop("top")) if isinstance(content, dict) and "top" in content else None
    names = ("text", "texts", *["records"] * bool(trained.columns))
    if not isinstance(content, dict) or len(content) != 1 or not content.keys() <= {*names}:
        forms = " or ".join((*_FORMS, _show_records(trained))[: len(names)])
        raise RequestError(400, f"expected {forms}, found {_describe(content)}")
    ((name, given),) = content.items()
    items = [given] if name == "text" else given
    if not isinstance(items, list):
        raise RequestError(400, f'expected "{name}" to be a list, found {_describe(items)}')
    if len(items) > MAX_TEXTS:
        raise RequestError(
            413, f"expected at most {MAX_TEXTS:,} texts per request, found {len(items):,}"
        )
    read = _read_record if name == "records" else _read_text
    return [read(item, row, trained) for row, item in enumerate(items)], top


def _parse_top(value: object) -> int:
    if isinstance(value, float) and value.is_integer() and value >= 1:
        return int(value)
    raise RequestError(400, f'expected "top" to be a positive integer, found {_describe(value)}')


def _read_text(text: object, row: int, trained: TrainedText) -> str:
    if not isinstance(text, str):
        raise RequestError(400, f"expected text {row} to be a string, found {_describe(text)}")
    return trained.clean(text)


def _read_record(record: object, row: int, trained: TrainedText) -> str:
    if not isinstance(record, dict) or not trained.holds(record):
        columns = ", ".join(map(_quote, trained.columns))
        problem = f"expected record {row} to be an object with the strings {columns}"
        raise RequestError(400, f"{problem}, found {_describe(record)}")
    return trained.read(record)


def _show_records(trained: TrainedText) -> str:
    columns = ", ".join(f"{_quote(name)}: …" for name in trained.columns)
    return f'{{"records": [{{{columns}}}]}}'


def parse_explained(body: bytes, trained: TrainedText = UNRECORDED) -> tuple[str, str | None]:
    """Parse the text to explain: `b'{"text": "a", "label": "b"}'` -> `("a", "b")`.

    Args:
        body: `{"text": …}`, also with a label, JSON in UTF-8.

    Raises:
        RequestError: it is anything else.
    """
    content = _parse_body(body)
    if not isinstance(content, dict) or content.keys() not in ({"text"}, {"text", "label"}):
        found = _describe(content)
        problem = f'expected {{"text": …}} or {{"text": …, "label": …}}, found {found}'
        raise RequestError(400, problem)
    for key, value in content.items():
        if not isinstance(value, str):
            raise RequestError(400, f'expected "{key}" to be a string, found {_describe(value)}')
    return trained.clean(content["text"]), content.get("label")


def _parse_body(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_reject_duplicates,
            parse_int=float,  # int() is slow for a million digits, and no integer is expected
        )
    except UnicodeDecodeError as error:
        raise RequestError(400, f"expected UTF-8: {error.reason} at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"expected JSON: {error}") from None


def check_length(length: int) -> None:
    """Check the length of a request's body.

    Raises:
        RequestError: it is more than `MAX_BODY_BYTES`.
    """
    if length > MAX_BODY_BYTES:
        problem = f"expected a body of at most {MAX_BODY_BYTES:,} bytes, found more"
        raise RequestError(413, problem)


def to_json(content: dict[str, Any]) -> bytes:
    """Serialize a response body: one line of JSON in UTF-8."""
    # A lone surrogate in a label cannot be encoded in UTF-8; it is escaped as in JSON.
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def log(message: str) -> None:
    """Write one line to standard error; a full disk or a closed stream is ignored."""
    with contextlib.suppress(OSError, ValueError):
        print(f"glovelite-run: {' '.join(message.split())}", file=sys.stderr, flush=True)


def _respond(status: int, body: bytes, *headers: tuple[str, str], kind: str = JSON) -> Response:
    return status, [*headers, ("Content-Type", kind), ("Content-Length", str(len(body)))], body


def _parse_path(target: str) -> str:
    """Return the path of a request's target: `"http://pi/health?x"` -> `"/health"`."""
    try:
        url = target if target.startswith("/") else urlsplit(target).path or "/"
    except ValueError as error:
        raise RequestError(400, f"expected a path, found {_quote(target)}: {error}") from None
    return unquote(url.partition("?")[0])


def _check_body(headers: Mapping[str, str], body: bytes) -> None:
    kind = headers.get("content-type", "")
    media_type, _, rest = kind.partition(";")
    charset = rest.lower().replace(" ", "").replace('"', "")
    # Any web page can make a browser send other types to this machine, but not this one.
    if media_type.strip().lower() != JSON or charset not in ("", "charset=utf-8"):
        found = _quote(kind) if media_type else "none"
        raise RequestError(415, f"expected the Content-Type {JSON}, found {found}")
    if not headers.keys() & {"content-length", "transfer-encoding"}:
        raise RequestError(411, "expected a Content-Length, found none")
    check_length(len(body))


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("an object holds a duplicate key")
    return content


def _describe(value: object) -> str:
    if isinstance(value, dict):
        keys = ", ".join(map(_quote, list(value)[:5]))
        return f"an object with {keys}" if keys else "an empty object"
    kinds = {list: "a list", str: "a string", float: "a number", bool: "a boolean"}
    return kinds.get(type(value), "null")


def _quote(text: str) -> str:
    """Quote received text, shortened."""
    return json.dumps(text if len(text) <= 40 else text[:39] + "…", ensure_ascii=False)
