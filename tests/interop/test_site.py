"""The static site and the module in a real browser: predictions as in Python, versions, errors.

tests/convert/test_page.py has what needs no browser.
"""

import contextlib
import functools
import http.server
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from glovelite import Classifier
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.text.tokenizer import WORDS
from tests.c_engine import draw_texts
from tests.helpers import GLOSSES, SLICE, convert, read_json, train
from tests.multi_label import update_manifest, write_multi_label_bundle

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
pytestmark = [
    pytest.mark.skipif(not os.environ.get("GLOVELITE_WEB"), reason="run `make test-web`"),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
]
HELD_OUT = 200
READY = "html[data-ready]"
PREDICT = "(texts) => texts.map((text) => classifier.predict(text))"
TOLERANCE = 1e-4  # of a probability
RANDOM_TEXTS = 5_000
EXPORTS = {
    "dynamic": (),
    "int4": ("--quantize", "int4"),
    "folded": ("--quantize", "float16", "--layout", "folded"),
    "float32": ("--quantize", "float32"),
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


def predict_in_python(bundle, texts):
    """Predict by the numpy engine, whose arithmetic is the page's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOVELITE_INTERPRETER", "numpy")
        return Classifier.load(bundle).predict(texts)


def assert_equal_predictions(bundle, texts, answers):
    """Assert that the page predicts what Python does."""
    vocabulary = read_bundle(bundle).vocabulary
    for text, answer, expected in zip(
        texts, answers, predict_in_python(bundle, texts), strict=True
    ):
        encoded = vocabulary.encode(text)
        assert (answer["ids"], answer["truncated"]) == (encoded.ids, encoded.truncated)
        assert answer["tokens"] == vocabulary.tokenize(text)
        assert (answer["label"], tuple(answer["labels"])) == (expected.label, expected.labels)
        probabilities = list(expected.probabilities.values())
        np.testing.assert_allclose(answer["probabilities"], probabilities, atol=TOLERANCE)
        assert answer["known"] == pytest.approx(expected.known)
        assert answer["familiarity"] == pytest.approx(encoded.familiarity)
        assert answer["confidence"] == pytest.approx(expected.confidence, abs=TOLERANCE)
        assert answer["abstained"] == expected.abstained


@pytest.mark.parametrize("name", EXPORTS)
def test_predictions_equal_those_of_python(browser, sites, held_out, name):
    texts = held_out[1]
    assert len(texts) == HELD_OUT
    with open_page(browser, sites / name) as (page, requested, address):
        assert "Self-test passed" in page.inner_text("#status")
        found = page.evaluate(PREDICT, texts)
        assert all(url.startswith((address, "data:")) for url in requested)
    assert_equal_predictions(sites / f"{name}-bundle", texts, found)


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
    assert_equal_predictions(bundle, held_out[1], found)
    assert {len(answer["labels"]) for answer in found} >= {0, 1, 2}


def test_page_reads_punctuation_and_emoji_as_tokens(browser, held_out, tmp_path):
    """The self-test compares the tokens of the golden texts; others are compared here."""
    texts = [*held_out[1][:20], "What?! 👍🏽 ❤️", "it’s 'good'!! 👩🏽‍🌾⭐", "?"]
    quick = ("--punctuation", "--preset", "tiny", "--epochs", 1)
    train(held_out[0], "--glove", SLICE, "--out", tmp_path / "run", *quick)
    convert("export", tmp_path / "run", "--out", tmp_path / "bundle", "--no-gate")
    convert("site", tmp_path / "bundle", "--out", tmp_path / "site")
    with open_page(browser, tmp_path / "site") as (page, *_):
        assert "Self-test passed" in page.inner_text("#status")
        found = page.evaluate(PREDICT, texts)
    assert_equal_predictions(tmp_path / "bundle", texts, found)
    assert found[-3]["tokens"] == ["what", "?", "!", "👍", "❤"]


def test_page_joins_pieces_to_words(browser, held_out, tmp_path):
    quick = ("--vectors", "none", "--preset", "tiny", "--epochs", 1)
    train(held_out[0], *quick, "--out", tmp_path / "run")
    convert("export", tmp_path / "run", "--out", tmp_path / "bundle", "--no-gate")
    convert("site", tmp_path / "bundle", "--out", tmp_path / "site")
    with open_page(browser, tmp_path / "site") as (page, *_):
        assert "Self-test passed" in page.inner_text("#status")
        found = page.evaluate(PREDICT, held_out[1])
        page.fill("#text", "An animal, unbelievably small")
        page.wait_for_selector("#words mark")
        assert page.inner_text("#words") == "an animal, unbelievably small"
    assert_equal_predictions(tmp_path / "bundle", held_out[1], found)


def test_tokens_of_random_texts_are_those_of_python(browser, sites):
    texts = [text.decode("utf-8", "replace") for text in draw_texts(RANDOM_TEXTS)]
    script = """(texts) => {
      const { tokenizer } = globalThis.classifier.vocabulary;
      return texts.map((text) => tokenizer.tokenize(text));
    }"""
    with open_page(browser, sites / "dynamic") as (page, *_):
        found = page.evaluate(script, texts)
    assert [text for text, tokens in zip(texts, found) if tokens != WORDS.tokenize(text)] == []


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
        reload(page)
        page.fill("#text", "a small bird")
        assert "%" in page.inner_text("#answer")


def replace_site(site, other):
    """Put another site under the address of a site."""
    shutil.rmtree(site)
    shutil.copytree(other, site)


def reload(page):
    """Load the page again, and wait until its model answers."""
    page.reload()
    page.wait_for_selector(READY, state="attached")


@pytest.mark.parametrize("service_workers", ["allow", "block"])
def test_a_replaced_site_is_loaded_as_a_whole(browser, sites, tmp_path, service_workers):
    site = shutil.copytree(sites / "dynamic", tmp_path / "site")
    with open_page(browser, site, service_workers=service_workers) as (page, *_):
        if service_workers == "allow":
            page.get_by_text("available offline", exact=True).wait_for()
        replace_site(site, sites / "int4")
        reload(page)
        assert "int4" in page.inner_text("#facts")
        assert "Self-test passed" in page.inner_text("#status")


def test_without_network_a_replaced_site_is_the_old_or_the_new_one(browser, sites, tmp_path):
    site = shutil.copytree(sites / "dynamic", tmp_path / "site")
    versions = "async () => (await caches.keys()).map((name) => name.split(' ').at(-1))"
    with open_page(browser, site) as (page, *_):
        page.get_by_text("available offline", exact=True).wait_for()
        (old,) = page.evaluate(versions)
        (new,) = (path.name for path in (sites / "int4/files").iterdir())
        shutil.rmtree(site / "files" / old)  # an upload that has just begun
        reload(page)
        assert "dynamic" in page.inner_text("#facts")
        replace_site(site, sites / "int4")
        reload(page)
        while page.evaluate(versions) != [new]:  # the browser updates a second after loading
            page.wait_for_timeout(100)
        page.context.set_offline(True)
        reload(page)
        assert "int4" in page.inner_text("#facts")
        assert "Self-test passed" in page.inner_text("#status")


def test_a_page_whose_files_were_replaced_says_so(browser, sites, tmp_path):
    site = shutil.copytree(sites / "dynamic", tmp_path / "site")
    page_of_old = (site / "index.html").read_bytes()
    replace_site(site, sites / "int4")
    (site / "index.html").write_bytes(page_of_old)
    with open_page(browser, site, "#status") as (page, *_):
        assert "reload the page" in page.inner_text("#status")


@pytest.mark.parametrize("place", ["page", "worker"])
def test_the_module_classifies_in_a_page_and_in_a_worker(browser, sites, held_out, tmp_path, place):
    bundle, texts = sites / "dynamic-bundle", held_out[1][:20]
    convert("site", bundle, "--module", tmp_path / "m")
    (tmp_path / "m/index.html").write_text('<html data-ready="">', "utf-8")
    worker = """
      import { load } from "./glovelite.js";
      const classifier = await load("bundle/");
      onmessage = ({ data }) => postMessage(data.map((text) => classifier.predict(text)));
      postMessage("ready");
    """
    (tmp_path / "m/worker.js").write_text(worker, "utf-8")
    scripts = {
        "page": """async (texts) => {
          const { load } = await import("./glovelite.js");
          const classifier = await load("bundle/");
          return texts.map((text) => classifier.predict(text));
        }""",
        "worker": """(texts) => new Promise((resolve) => {
          const worker = new Worker("worker.js", { type: "module" });
          worker.onmessage = ({ data }) =>
            data === "ready" ? worker.postMessage(texts) : resolve(data);
        })""",
    }
    with open_page(browser, tmp_path / "m") as (page, *_):
        assert_equal_predictions(bundle, texts, page.evaluate(scripts[place], texts))


def bundle_file(site, name):
    """Return the path of a file of the bundle in a site."""
    (path,) = site.glob(f"files/*/bundle/{name}")
    return path


def damage_model(site):
    content = bytearray(bundle_file(site, "model.bin").read_bytes())
    content[len(content) // 2] ^= 1
    bundle_file(site, "model.bin").write_bytes(content)


def damage_golden_text(site):
    path = bundle_file(site, "manifest.json")
    manifest = read_json(path)
    manifest["goldens"][1]["ids"][0] += 1
    path.write_text(json.dumps(manifest), "utf-8")


DAMAGES = {
    "a flipped bit in the model": (damage_model, "model.bin is damaged"),
    "a missing model": (
        lambda site: bundle_file(site, "model.bin").unlink(),
        "model.bin could not be downloaded: the server answered 404",
    ),
    "a manifest that is not JSON": (
        lambda site: bundle_file(site, "manifest.json").write_text("{"),
        "manifest.json is damaged: it is not JSON",
    ),
    "a golden text with other ids": (damage_golden_text, "do not rely on them"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_page_reports_damaged_files(browser, sites, tmp_path, name):
    damage, message = DAMAGES[name]
    site = shutil.copytree(sites / "dynamic", tmp_path / "site")
    damage(site)
    with open_page(browser, site, "#status") as (page, *_):
        page.get_by_text(message).first.wait_for()


def test_a_title_and_a_first_text_are_shown_as_they_were_given(browser, sites, tmp_path):
    title, sample = 'Is it <b>"good"</b>?', "\n  </textarea> & more"
    options = ("--title", title, "--sample", sample)
    convert("site", sites / "dynamic-bundle", "--out", tmp_path / "site", *options)
    with open_page(browser, tmp_path / "site") as (page, *_):
        assert (page.title(), page.inner_text("h1")) == (title, title)
        assert page.input_value("#text") == sample


def test_a_text_from_right_to_left_is_shown_so(browser, sites):
    with open_page(browser, sites / "dynamic") as (page, *_):
        page.fill("#text", "كتاب جميل animal")
        page.wait_for_selector("#words mark")
        direction = "(id) => getComputedStyle(document.getElementById(id)).direction"
        assert page.evaluate(direction, "text") == page.evaluate(direction, "words") == "rtl"
        assert page.evaluate(direction, "answer") == "ltr"


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
