"""What the server answers, without a server."""

import argparse
import json
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glovelite import Classifier
from glovelite.runtime.http.application import MAX_BODY_BYTES, MAX_TEXTS, Application
from glovelite.runtime.http.cross_origin import CrossOrigin, parse_origin
from glovelite.runtime.interpreter import interpreter_version
from tests.helpers import FLOATS, read_json

ANYTHING = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def application(bundle):
    return Application(Classifier.load(bundle), "http://127.0.0.1:8080")


def request(application, method, path, body=b"", kind="application/json"):
    """Send a request; return status, headers and body."""
    received = {"host": "x", "content-length": str(len(body)), "content-type": kind}
    status, headers, answer = application.answer(method, path, received, body)
    assert len({name for name, _ in headers}) == len(headers)
    return status, dict(headers), answer


def predict(application, content):
    status, _, body = request(application, "POST", "/predict", json.dumps(content).encode())
    assert status == 200
    return json.loads(body)["predictions"]


def test_predict_always_returns_a_list(application):
    texts = ["a tall tree", "someone who sings", ""]
    expected = [prediction.as_dict() for prediction in application.classifier.predict(texts)]
    assert predict(application, {"texts": texts}) == expected
    assert predict(application, {"text": texts[0]}) == expected[:1]
    assert predict(application, {"texts": []}) == []


def test_top_limits_the_probabilities(application):
    (full,) = predict(application, {"text": "a tall tree"})
    (short,) = predict(application, {"text": "a tall tree", "top": 2})
    ordered = sorted(full["probabilities"].items(), key=lambda item: -item[1])
    assert short == {**full, "probabilities": dict(ordered[:2])}
    assert predict(application, {"text": "a tall tree", "top": 99}) == [full]


@pytest.mark.parametrize("top", ["0", "-1", "1.5", "true", "null", '"2"', "1e999"])
def test_top_is_a_positive_integer(application, top):
    body = f'{{"text": "a tree", "top": {top}}}'.encode()
    status, _, answer = request(application, "POST", "/predict", body)
    assert status == 400
    assert 'expected "top" to be a positive integer' in json.loads(answer)["error"]


def test_predictions_have_the_fields_of_the_command_line(application, command):
    answer = json.loads(command("--json", "a tall tree").stdout)
    (prediction,) = predict(application, {"text": "a tall tree"})
    assert prediction.keys() == answer["prediction"].keys()
    # The command may run on another interpreter.
    probabilities = pytest.approx(answer["prediction"]["probabilities"], abs=1e-3)
    assert prediction["probabilities"] == probabilities


@pytest.mark.parametrize("text", ["\ud800", "\0", "\u2028", '"\\', "Zürich 东京", "tree " * 5000])
def test_unusual_texts_are_classified(application, text):
    assert len(predict(application, {"text": text})) == 1


def test_health_describes_the_bundle(application, bundle):
    manifest = read_json(bundle / "manifest.json")
    status, _, body = request(application, "GET", "/health")
    health = json.loads(body)
    assert (status, health["status"]) == (200, "ok")
    assert health["model"] == manifest["files"]["model.tflite"]
    assert health["recipe"] == manifest["recipe"]
    assert health["labels"] == list(application.classifier.labels)
    assert health["interpreter"] == interpreter_version()
    recorded = manifest["abstention"]
    expected = {name: recorded[name] for name in ("probability", "accuracy", "wanted")}
    assert health["abstention"] == expected


def usage(application):
    return json.loads(request(application, "GET", "/health")[2])["usage"]


def test_health_counts_what_was_classified(application, binary_bundle):
    assert set(usage(application).values()) == {0}
    predict(application, {"texts": ["a tall tree", "zxqv wvut", "a zxqv"]})
    predictions = application.classifier.predict(["a tall tree", "zxqv wvut", "a zxqv"])
    counted = {
        "texts": 6,
        "abstained": 2 * sum(prediction.abstained for prediction in predictions),
        "unfamiliar": 2,
        "tokens": 14,
        "unknown_tokens": 6,
        "corrected_tokens": 0,
        "without_labels": 0,
    }
    assert usage(application) == counted
    application.classifier.explain("a tree")
    application.classifier.reload(binary_bundle)
    assert usage(application) == counted


def test_health_counts_in_all_threads(application):
    threads = [
        threading.Thread(target=application.classifier.predict, args=(["a tree"] * 600,))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (usage(application)["texts"], usage(application)["tokens"]) == (4800, 9600)


def test_requests_use_the_current_bundle(application, binary_bundle):
    application.classifier.reload(binary_bundle)
    assert json.loads(request(application, "GET", "/health")[2])["labels"] == ["animal", "plant"]
    assert set(predict(application, {"text": "a tree"})[0]["probabilities"]) == {"animal", "plant"}


def test_health_is_503_while_the_server_stops(application):
    application.stopping = True
    status, _, body = request(application, "GET", "/health")
    assert (status, json.loads(body)["status"]) == (503, "stopping")


def test_root_explains_the_api(application):
    status, headers, body = request(application, "GET", "/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert b"curl" in body


@pytest.mark.parametrize("path", ["/", "/health"])
def test_head_returns_the_headers_of_get(application, path):
    status, headers, body = request(application, "GET", path)
    assert request(application, "HEAD", path) == (status, headers, b"")
    assert headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
        ("/predict", "POST, OPTIONS"),
        ("/explain", "POST, OPTIONS"),
    ],
)
def test_options_and_wrong_methods_list_allowed_methods(application, path, methods):
    status, headers, body = request(application, "OPTIONS", path)
    assert (status, headers["Allow"], body) == (200, methods, b"")
    status, headers, body = request(application, "DELETE", path)
    assert (status, headers["Allow"]) == (405, methods)
    assert 'found "DELETE"' in json.loads(body)["error"]


@pytest.mark.parametrize(
    "path", ["/reload", "/predict/", "/../etc/passwd", "/%C3%A9", "/%FF", "/" + "x" * 9999]
)
def test_unknown_paths_are_404(application, path):
    status, _, body = request(application, "GET", path)
    assert status == 404
    assert "expected the path /, /health, /predict, /explain" in json.loads(body)["error"]


REJECTED = [
    (b"", "expected JSON"),
    (b"{", "expected JSON"),
    (b'{"text": NaN', "expected JSON"),
    (b"\xef\xbb\xbf{}", "BOM"),
    (b'{"text": "caf\xe9"}', "expected UTF-8: invalid continuation byte at byte 13"),
    ('{"text": "a"}'.encode("utf-16"), "expected UTF-8"),
    (b'{"text": "a", "text": "b"}', "duplicate key"),
    (b"[" * 100_000, "expected JSON"),
    (b"null", "found null"),
    (b'"text"', "found a string"),
    (b"[]", "found a list"),
    (b"{}", "found an empty object"),
    (b'{"text": "a", "texts": []}', 'found an object with "text", "texts"'),
    (b'{"txt": "a"}', 'found an object with "txt"'),
    (b'{"text": 3}', "expected text 0 to be a string, found a number"),
    (b'{"text": ' + b"9" * 900_000 + b"}", "found a number"),
    (b'{"text": null}', "found null"),
    (b'{"texts": "a"}', 'expected "texts" to be a list, found a string'),
    (b'{"texts": ["a", true]}', "expected text 1 to be a string, found a boolean"),
    (b'{"' + b"x" * 1000 + b'": 0}', "xxx…"),
]


@pytest.mark.parametrize(
    ("body", "message"), REJECTED, ids=[str(body[:24]) for body, _ in REJECTED]
)
def test_malformed_bodies_are_400_with_expected_and_found(application, body, message):
    status, _, answer = request(application, "POST", "/predict", body)
    error = json.loads(answer)["error"]
    assert status == 400
    assert message in error
    assert "\n" not in error
    assert len(error) < 300


def test_too_many_texts_or_bytes_are_413(application):
    assert len(predict(application, {"texts": ["a"] * MAX_TEXTS})) == MAX_TEXTS
    for body in (
        json.dumps({"texts": ["a"] * (MAX_TEXTS + 1)}).encode(),
        b" " * (MAX_BODY_BYTES + 1),
    ):
        status, _, answer = request(application, "POST", "/predict", body)
        assert status == 413
        assert "at most 1,000" in json.loads(answer)["error"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({}, 411), ({"content-length": "12"}, 200), ({"transfer-encoding": "chunked"}, 200)],
)
def test_length_of_the_body_is_required(application, headers, expected):
    headers["content-type"] = "application/json"
    assert application.answer("POST", "/predict", headers, b'{"text": ""}')[0] == expected


@pytest.mark.parametrize(
    "target", ["/%68ealth", "/health?x=/", "http://pi.local/health", "http://pi.local:81/health?x"]
)
def test_target_may_be_escaped_or_a_url(application, target):
    assert request(application, "GET", target)[0] == 200


@pytest.mark.parametrize(
    ("target", "expected"),
    [("http://pi", 200), ("http://[", 400), ("*", 404), ("//health", 404), ("//x/health", 404)],
)
def test_unusual_targets_are_answered(application, target, expected):
    assert request(application, "GET", target)[0] == expected


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"]
)
def test_other_content_types_are_415(application, kind):
    """Any web page can make a browser send these types to this machine, but not JSON."""
    status, _, body = request(application, "POST", "/predict", b'{"text": ""}', kind=kind)
    assert status == 415
    assert "application/json" in json.loads(body)["error"]


@pytest.mark.parametrize("kind", ["Application/JSON", 'application/json; charset="UTF-8"'])
def test_json_content_type_may_name_utf8(application, kind):
    asked = request(application, "POST", "/predict", b'{"text": ""}', kind=kind)
    assert asked[0] == 200


def check_rejected_or_answered(application, body):
    status, headers, answer = request(application, "POST", "/predict", body)
    assert status in (200, 400)
    assert headers["Content-Length"] == str(len(answer))
    assert list(json.loads(answer)) == ["predictions" if status == 200 else "error"]


@ANYTHING
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered_or_rejected(application, body):
    check_rejected_or_answered(application, body)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | FLOATS | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["text", "texts"]) | st.text(), inner)
    ),
)


@ANYTHING
@given(content=ANY_JSON)
def test_any_json_is_answered_or_rejected(application, content):
    check_rejected_or_answered(application, json.dumps(content).encode())


def test_unexpected_errors_are_500_and_one_log_line(application, capfd):
    application.classifier.close()
    status, _, body = request(application, "POST", "/predict", b'{"text": "' + b"a " * 300 + b'"}')
    assert (status, json.loads(body)) == (500, {"error": "internal server error"})
    (line,) = capfd.readouterr().err.splitlines()
    assert "the classifier is closed" in line


def explain(application, content):
    body = json.dumps(content).encode()
    status, _, answer = request(application, "POST", "/explain", body)
    return status, json.loads(answer)


def test_explain_returns_a_prediction_and_its_explanation(application):
    classifier = application.classifier
    status, answer = explain(application, {"text": "a tall tree"})
    assert status == 200
    assert answer == {
        "prediction": classifier.predict("a tall tree")[0].as_dict(),
        "explanation": classifier.explain("a tall tree").as_dict(),
    }
    _, answer = explain(application, {"text": "a tall tree", "label": "food"})
    assert answer["explanation"] == classifier.explain("a tall tree", "food").as_dict()


def test_explain_counts_one_text(application):
    explain(application, {"text": "a tall tree"})
    assert usage(application)["texts"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"text": "a", "label": "stone"}, "expected a label of"),
        ({"text": "a", "label": None}, 'expected "label" to be a string, found null'),
        ({"text": ["a"]}, 'expected "text" to be a string, found a list'),
        ({"texts": ["a"]}, 'found an object with "texts"'),
        ([], "found a list"),
    ],
)
def test_explain_says_what_was_expected(application, content, message):
    status, answer = explain(application, content)
    assert status == 400
    assert message in answer["error"]


PAGE = "http://localhost:5173"
ASKED = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


def cors_headers(bundle, origins, origin, method="GET", path="/health", **headers):
    """Send a request from a page; return its status and the headers that are about pages."""
    cross_origin = CrossOrigin(tuple(map(parse_origin, origins)))
    application = Application(Classifier.load(bundle), "http://x", cross_origin)
    sent = {"host": "x", **({"origin": origin} if origin else {}), **headers}
    status, received, _ = application.answer(method, path, sent, b"")
    names = ("Access-Control", "Vary")
    return status, {name: value for name, value in received if name.startswith(names)}


def test_no_page_of_another_origin_is_allowed_by_default(bundle):
    assert cors_headers(bundle, [], PAGE) == (200, {})
    assert cors_headers(bundle, [], PAGE, "OPTIONS", "/predict", **ASKED) == (200, {})


def test_a_page_of_an_allowed_origin_may_read_responses_and_errors(bundle):
    allowed = {"Access-Control-Allow-Origin": PAGE, "Vary": "Origin"}
    origins = ["https://app.example", PAGE]
    assert cors_headers(bundle, origins, PAGE) == (200, allowed)
    assert cors_headers(bundle, origins, PAGE, path="/none") == (404, allowed)
    assert cors_headers(bundle, origins, PAGE, "POST", "/predict") == (415, allowed)
    for other in ("http://localhost:5174", "https://localhost:5173", "null", None):
        assert cors_headers(bundle, origins, other) == (200, {"Vary": "Origin"})


def test_a_browser_that_asks_is_told_methods_and_headers(bundle):
    for origins, expected in (
        ([PAGE], {"Access-Control-Allow-Origin": PAGE, "Vary": "Origin"}),
        (["*"], {"Access-Control-Allow-Origin": "*"}),
    ):
        asked = {
            **expected,
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": "600",
        }
        given = (bundle, origins, PAGE, "OPTIONS", "/predict")
        assert cors_headers(*given, **ASKED) == (200, asked)
        private = {**ASKED, "access-control-request-private-network": "true"}
        _, headers = cors_headers(*given, **private)
        assert headers["Access-Control-Allow-Private-Network"] == "true"
    other = (bundle, [PAGE], "http://evil.example", "OPTIONS", "/predict")
    assert cors_headers(*other, **ASKED) == (200, {"Vary": "Origin"})


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://localhost:5173", "http://localhost:5173"),
        ("HTTPS://App.Example/", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("*", "*"),
    ],
)
def test_origins_are_written_as_browsers_do(text, origin):
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text", ["localhost:5173", "http://a/b", "null", "", "ftp://a", "http://*.a", "http://a\r\nb"]
)
def test_what_is_no_origin_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected an origin such as http://local"):
        parse_origin(text)
