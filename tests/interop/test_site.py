"""The static site in a real browser: predictions as in Python, no other requests, clear errors."""

import contextlib
import functools
import http.server
import json
import os
import random
import re
import shutil
import sys
import threading
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.decision import decide_labels
from glovelite.runtime.text.vocabulary import TOKENIZERS
from tests.helpers import GLOSSES, LEGACY_BUNDLE, SLICE, convert, read_json, run, train
from tests.multi_label import update_manifest, write_multi_label_bundle

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
pytestmark = [
    pytest.mark.skipif(not os.environ.get("GLOVELITE_WEB"), reason="run `make test-web`"),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
    pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed"),
]
HELD_OUT = 200
READY = "html[data-ready]"
LITERT = """
import json, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from glovelite.runtime.bundle import read_bundle
bundle = read_bundle(sys.argv[1])
interpreter = Interpreter(model_content=bundle.model, num_threads=1)
padding, answers = bundle.vocabulary.trailing_padding, []
for text in json.load(sys.stdin):
    ids = bundle.vocabulary.encode(text).ids
    details = interpreter.get_input_details()[0]
    fixed = details["shape_signature"][1]
    length = fixed if fixed > 0 else len(ids) + padding
    interpreter.resize_tensor_input(details["index"], [1, length])
    interpreter.allocate_tensors()
    interpreter.set_tensor(details["index"], np.array([ids + [0] * (length - len(ids))], np.int32))
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].tolist()
    answers.append([1 - found[0], found[0]] if len(found) == 1 else found)
print(json.dumps(answers))
"""
PREDICT = """async (texts) => {
  const answers = [];
  for (const text of texts) answers.push(await classifier.predict(text));
  return answers;
}"""
EXPORTS = {
    "dynamic": (),
    "int4": ("--quantize", "int4"),
    "folded": ("--quantize", "float16", "--layout", "folded"),
    "fixed": ("--quantize", "int8", "--emit-c"),
    "hashed": ("--listed-words", 400, "--hashed-words", 1000),
}


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """A file to train on, and texts that are not in it."""
    header, *lines = GLOSSES.read_text("utf-8").splitlines()
    held_out_lines = lines[:: len(lines) // HELD_OUT][:HELD_OUT]
    path = tmp_path_factory.mktemp("held-out") / "train.csv"
    path.write_text(
        "\n".join([header, *(line for line in lines if line not in held_out_lines)]), "utf-8"
    )
    return path, [line.rsplit(",", 1)[0].strip('"') for line in held_out_lines]


@pytest.fixture(scope="module")
def sites(tmp_path_factory, held_out):
    """A folder with a site for each export, beside the bundle it was made from."""
    folder = tmp_path_factory.mktemp("sites")
    train(held_out[0], "--glove", SLICE, "--out", folder / "run", "--max-tokens", 24)
    for name, options in EXPORTS.items():
        bundle = folder / f"{name}-bundle"
        convert("export", folder / "run", "--out", bundle, "--no-gate", *options)
        convert("site", bundle, "--out", folder / name)
    return folder


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses root one
        yield started.chromium.launch(executable_path=CHROMIUM, args=sandbox)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without logging."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """Serve a folder on loopback; yield its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def open_page(browser, folder, wait_for=READY, script=None, **options):
    """Open a site in a fresh browser context; yield the page, its requests and its address."""
    with served(folder) as address, contextlib.closing(browser.new_context(**options)) as context:
        if script:
            context.add_init_script(script)
        page, requested = context.new_page(), []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(address)
        page.wait_for_selector(wait_for, state="attached", timeout=60_000)
        yield page, requested, address


def predict_with_litert(bundle, texts):
    done = run(sys.executable, "-c", LITERT, bundle, input=json.dumps(texts))
    return np.array(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", EXPORTS)
def test_predictions_equal_those_of_python(browser, sites, held_out, name):
    bundle = read_bundle(sites / f"{name}-bundle")
    texts = held_out[1]
    expected = predict_with_litert(bundle.path, texts)
    with open_page(browser, sites / name) as (page, requested, address):
        found = page.evaluate(PREDICT, texts)
        assert all(url.startswith((address, "data:")) for url in requested)
    assert len(texts) == HELD_OUT
    for text, answer in zip(texts, found):
        encoded = bundle.vocabulary.encode(text)
        assert (answer["ids"], answer["truncated"]) == (encoded.ids, encoded.truncated)
        assert answer["known"] == pytest.approx(encoded.known)
        assert answer["familiarity"] == pytest.approx(encoded.familiarity)
        confidence = bundle.abstention.confidence(max(answer["probabilities"]), encoded.familiarity)
        assert answer["confidence"] == pytest.approx(confidence)
        assert answer["abstained"] == (
            answer["unfamiliar"]
            or bundle.abstention.abstains(answer["label"], answer["confidence"])
        )
    probabilities = np.array([answer["probabilities"] for answer in found])
    assert np.abs(probabilities - expected).max() <= 1e-3
    labels = [bundle.vocabulary.labels[index] for index in expected.argmax(axis=1)]
    assert [answer["label"] for answer in found] == labels
    hashed_words = 0
    for text, answer in zip(texts, found):
        tokens = bundle.vocabulary.tokenize(text)
        assert answer["tokens"] == tokens
        stand_ins = list(map(bundle.vocabulary.stand_in, tokens, answer["ids"]))
        assert [word or None for word in answer["standIns"]] == stand_ins
        hashed_words += len(list(filter(None, stand_ins)))
    assert (hashed_words > 100) == (name == "hashed")


def test_page_gives_the_labels_that_python_gives(browser, sites, held_out, tmp_path):
    thresholds = {"animal": 0.9, "food": 0.3, "plant": 1}
    bundle = write_multi_label_bundle(
        sites / "dynamic-bundle", tmp_path / "bundle", thresholds=thresholds
    )
    update_manifest(bundle, abstention=read_bundle(sites / "dynamic-bundle").manifest["abstention"])
    convert("site", bundle, "--out", tmp_path / "site")
    with open_page(browser, tmp_path / "site") as (page, *_):
        assert "Self-test passed" in page.inner_text("#status")
        found = page.evaluate(PREDICT, held_out[1])
        page.fill("#text", held_out[1][0])
        rows = page.locator("#classes tr").all_inner_texts()
        words = page.wait_for_selector("#words mark") and page.inner_text("#explained")
        chosen = page.locator("#classes .best th").all_inner_texts()
        shown = page.inner_text("#answer")
    assert [row.split("\t")[-1] for row in rows] == [
        "from 90.0 %",
        "from 30.0 %",
        "from 50.0 %",
        "never given",
    ]
    assert sorted(chosen) == sorted(found[0]["labels"])
    assert all(label in shown for label in found[0]["labels"])
    assert words == found[0]["label"]
    loaded = read_bundle(bundle)
    numbers = set()
    for text, answer in zip(held_out[1], found):
        given, certainty = decide_labels(answer["probabilities"], loaded.thresholds)
        assert answer["labels"] == [loaded.vocabulary.labels[index] for index in given]
        familiarity = loaded.vocabulary.encode(text).familiarity
        confidence = loaded.abstention.confidence(certainty, familiarity)
        assert answer["confidence"] == pytest.approx(confidence)
        low = loaded.abstention.abstains(answer["label"], confidence)
        assert answer["abstained"] == (answer["unfamiliar"] or low)
        numbers.add(len(given))
    assert numbers >= {0, 1, 2}


@pytest.mark.parametrize(
    ("manifest", "message"),
    [({"format": 2}, "of different bundles"), ({"format": 4}, "cannot read: write the site again")],
)
def test_page_refuses_another_bundle_format(browser, sites, tmp_path, manifest, message):
    bundle = write_multi_label_bundle(sites / "dynamic-bundle", tmp_path / "bundle")
    convert("site", bundle, "--out", tmp_path / "site")
    update_manifest(tmp_path / "site" / "bundle", **manifest)
    with open_page(browser, tmp_path / "site", "#failure button") as (page, *_):
        assert message in page.inner_text("#failure")


def test_page_reads_punctuation_and_emoji_as_tokens(browser, held_out, tmp_path):
    """The self-test compares the tokens of the golden texts; others are compared here."""
    texts = [*held_out[1][:20], "What?! 👍🏽 ❤️", "it’s 'good'!! 👩🏽‍🌾⭐", "?"]
    quick = ("--punctuation", "--preset", "tiny", "--epochs", 1)
    train(held_out[0], "--glove", SLICE, "--out", tmp_path / "run", *quick)
    convert("export", tmp_path / "run", "--out", tmp_path / "bundle", "--no-gate")
    convert("site", tmp_path / "bundle", "--out", tmp_path / "site")
    vocabulary = read_bundle(tmp_path / "bundle").vocabulary
    with open_page(browser, tmp_path / "site") as (page, *_):
        assert "Self-test passed" in page.inner_text("#status")
        found = page.evaluate(PREDICT, texts)
    assert [answer["tokens"] for answer in found] == [*map(vocabulary.tokenize, texts)]
    assert [answer["ids"] for answer in found] == [vocabulary.encode(text).ids for text in texts]
    assert found[-3]["tokens"] == ["what", "?", "!", "👍", "❤"]


def test_page_loads_the_oldest_bundle(browser, tmp_path):
    convert("site", LEGACY_BUNDLE, "--out", tmp_path / "site")
    with open_page(browser, tmp_path / "site") as (page, *_):
        assert "Self-test passed" in page.inner_text("#status")
        assert page.evaluate("globalThis.classifier.manifest.goldens.length") > 0


def test_site_contains_the_bundle_unchanged(sites):
    bundle = sites / "hashed-bundle"
    names = sorted(path.name for path in bundle.iterdir())
    assert names == sorted(path.name for path in (sites / "hashed" / "bundle").iterdir())
    assert "hashed_words.bin" in names
    for name in names:
        assert (sites / "hashed" / "bundle" / name).read_bytes() == (bundle / name).read_bytes()


def test_browser_and_python_agree_on_word_characters(browser, sites):
    script = """() => {
      const found = [];
      for (let point = 0; point <= 0x10ffff; point++) {
        const character = String.fromCodePoint(point);
        if (/^[\\p{L}\\p{N}_]$/u.test(character)) found.push(point);
      }
      const assigned = found.length && [];
      for (let point = 0; point <= 0x10ffff; point++)
        if (!/^\\p{Cn}$/u.test(String.fromCodePoint(point))) assigned.push(point);
      return [found, assigned];
    }"""
    with open_page(browser, sites / "dynamic") as (page, *_):
        words, assigned = map(set, page.evaluate(script))
    known_here = {point for point in range(0x110000) if unicodedata.category(chr(point)) != "Cn"}
    here = {point for point in range(0x110000) if re.match(r"\w", chr(point))}
    assert not (here ^ words) & known_here & assigned
    assert len(words & here) > 130_000


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_tokenizers_agree_on_texts_of_all_scripts(browser, sites, tokenizer):
    choose = random.Random(0)
    known = [p for p in range(0x30000) if unicodedata.category(chr(p)) not in ("Cn", "Co", "Cs")]
    often = [*"aZé'’ _-İẞΣς\u0301\u0345ß1٣!?😂👍🏽❤♀\ufe0f\u200d❶⭐", "e\u0301"]
    texts = [
        "".join(
            choose.choice(often) if choose.random() < 0.6 else chr(choose.choice(known))
            for _ in range(choose.randint(0, 30))
        )
        for _ in range(3_000)
    ]
    script = """async ([specification, texts]) => {
      const { findTokenizer } = await import("./page/tokenizer.js");
      const tokenizer = findTokenizer(specification);
      return texts.map((text) => tokenizer.tokenize(text));
    }"""
    with open_page(browser, sites / "dynamic") as (page, *_):
        found = page.evaluate(script, [tokenizer.specification, texts])
    differing = [text for text, tokens in zip(texts, found) if tokens != tokenizer.tokenize(text)]
    assert differing == []


def test_typing_shows_prediction_and_explanation(browser, sites):
    words = ["a", "large", "animal", "that", "lives", "in", "water"]
    with open_page(browser, sites / "dynamic") as (page, *_):
        assert "Self-test passed" in page.inner_text("#status")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "text"
        page.fill("#text", "")
        assert page.inner_text("#answer") == "No words yet."
        page.type("#text", " ".join(words))
        page.wait_for_selector("#words mark")
        label, percent = page.inner_text("#answer").split(", ")
        assert label in page.inner_text("#classes .best")
        assert percent in page.inner_text("#classes .best")
        assert page.inner_text("#words").split() == words
        page.fill("#text", "animal " * 30)
        assert "Only the first 24 words were read" in page.inner_text("#notes")
        page.fill("#text", "zxqv qqqq wvvw")
        assert "Only 0 % of the words are in the vocabulary" in page.inner_text("#notes")


def test_page_is_accessible_to_screen_readers(browser, sites):
    with open_page(browser, sites / "dynamic") as (page, *_):
        assert page.get_by_label("Your text").get_attribute("id") == "text"
        assert page.get_attribute("#answer", "aria-live") == "polite"
        assert page.get_by_role("rowheader").count() == 4
        assert page.get_attribute("html", "lang") == "en"


def test_page_works_offline_after_the_first_load(browser, sites):
    with open_page(browser, sites / "dynamic") as (page, *_):
        page.get_by_text("available offline", exact=True).wait_for()
        page.context.set_offline(True)
        page.reload()
        page.wait_for_selector(READY, state="attached")
        page.fill("#text", "a small bird")
        assert "%" in page.inner_text("#answer")


def damage_model(site):
    content = bytearray((site / "bundle/model.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    (site / "bundle/model.tflite").write_bytes(content)


def damage_golden_text(site):
    path = site / "bundle/manifest.json"
    manifest = read_json(path)
    manifest["goldens"][1]["ids"][0] += 1
    path.write_text(json.dumps(manifest), "utf-8")


DAMAGES = {
    "a flipped bit in the model": (damage_model, "model.tflite is damaged"),
    "a missing vocabulary": (
        lambda site: (site / "bundle/vocab.json").unlink(),
        "vocab.json could not be downloaded: the server answered 404",
    ),
    "a manifest that is not JSON": (
        lambda site: (site / "bundle/manifest.json").write_text("{"),
        "manifest.json is damaged: it is not JSON",
    ),
    "a missing engine": (
        lambda site: shutil.rmtree(site / "engine") or (site / "engine").mkdir(),
        "a file of the folder engine/ could not be downloaded",
    ),
    "a golden text with other ids": (damage_golden_text, "do not rely on them"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_page_reports_damaged_files(browser, sites, tmp_path, name):
    damage, message = DAMAGES[name]
    shutil.copytree(sites / "dynamic", tmp_path / "site")
    damage(tmp_path / "site")
    with open_page(browser, tmp_path / "site", "#status") as (page, *_):
        page.get_by_text(message).first.wait_for()


def test_page_reports_a_browser_without_webassembly(browser, sites):
    script = "delete globalThis.WebAssembly"
    with open_page(browser, sites / "dynamic", "#failure button", script) as (page, *_):
        assert "no WebAssembly" in page.inner_text("#failure")
        assert page.get_by_role("button", name="Try again").is_visible()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_no_wider_than_the_screen(browser, sites, width, scheme):
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with open_page(browser, sites / "dynamic", **options) as (page, *_):
        page.wait_for_selector("#words mark")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        folder = os.environ.get("GLOVELITE_SCREENSHOTS")
        if folder:
            page.screenshot(path=Path(folder) / f"{width}-{scheme}.png", full_page=True)


def test_site_command_does_not_overwrite_unless_requested(sites):
    done = convert("site", sites / "int4-bundle", "--out", sites / "dynamic", check=False)
    assert done.returncode == 1
    assert "--overwrite" in done.stderr


def test_site_command_without_npm_suggests_the_engine_option(sites, tmp_path):
    environment = {**os.environ, "GLOVELITE_CACHE": str(tmp_path), "PATH": str(tmp_path)}
    options = ("--out", tmp_path / "site")
    done = convert("site", sites / "int4-bundle", *options, check=False, env=environment)
    assert done.returncode == 1
    assert "pass its folder as --engine" in done.stderr


def test_site_command_refuses_an_engine_with_another_hash(sites, tmp_path):
    (tmp_path / "litertjs-core-2.5.3.tgz").write_bytes(b"another")
    options = ("--out", tmp_path / "site", "--engine", tmp_path)
    done = convert("site", sites / "int4-bundle", *options, check=False)
    assert done.returncode == 1
    assert "expected a97660833e" in done.stderr
    assert not (tmp_path / "site").exists()
