"""The page's code in Node: tokens, explanations, refusals; the site and the module that hold it."""

import gzip
import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from glovelite import Classifier
from glovelite.convert.model_bin.model_file import build_model_file
from glovelite.convert.targets.site import CODE_FOLDER
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.explain import split_ngrams
from glovelite.runtime.ngrams import parse_ngrams
from glovelite.runtime.text.pieces import make_pieces
from glovelite.runtime.text.tokenizer import WORDS, WORDS_AND_PUNCTUATION
from glovelite.runtime.text.vocabulary import parse_vocabulary
from tests.c_engine import (
    assert_equal_ids,
    assert_equal_predictions,
    classify,
    draw_texts,
    pack_vocabulary,
)
from tests.helpers import (
    DATA,
    GLOSSES,
    LEGACY_BUNDLE,
    PAGE_DRIVER,
    ROOT,
    convert,
    read_csv,
    read_json,
    read_json_lines,
    run,
)
from tests.multi_label import update_manifest

CONFORMANCE = DATA / "conformance"
RANDOM_TEXTS, DAMAGES = 100_000, 500
MAX_COMPRESSED_BYTES = 25_000
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
#: Reads texts as JSON, writes their tokens: some hold lone surrogates, which no UTF-8 has.
TOKENIZE = f"""
import {{ readFileSync }} from "node:fs";
import {{ Tokenizer }} from "{CODE_FOLDER}/tokenizer.js";
const texts = JSON.parse(readFileSync(0, "utf-8")), tokenizer = new Tokenizer(false);
console.log(JSON.stringify(texts.map((text) => tokenizer.tokenize(text))));
"""
#: Reads a model, writes what its n-grams find in texts, and how they split it over tokens.
NGRAMS = f"""
import {{ readFileSync }} from "node:fs";
import {{ readModel }} from "{CODE_FOLDER}/model-file.js";
import {{ NgramWeights }} from "{CODE_FOLDER}/ngrams.js";
const ngrams = new NgramWeights(readModel(readFileSync(process.argv[2])));
for (const {{ text, tokens }} of JSON.parse(readFileSync(0, "utf-8"))) {{
  const {{ count, sums }} = ngrams.sumLevels(text);
  const parts = ngrams.split(text, tokens, (logits) => logits[1]);
  console.log(JSON.stringify({{ found: [count, ...sums], parts }}));
}}
"""


@pytest.fixture
def node(tmp_path):
    """A function that runs a module and returns the lines of JSON that it prints."""

    def call(script, *arguments, stdin=""):
        (tmp_path / "script.mjs").write_text(script, "utf-8")
        printed = run("node", tmp_path / "script.mjs", *arguments, input=stdin).stdout
        return [json.loads(line) for line in printed.splitlines()]

    return call


@needs_node
def test_tokens_of_the_conformance_file(node):
    records = read_json_lines(CONFORMANCE / "texts.jsonl")
    (found,) = node(TOKENIZE, stdin=json.dumps([record["text"] for record in records]))
    for record, tokens in zip(records, found, strict=True):
        assert tokens == record["tokens"], record["name"]


@needs_node
def test_pieces_of_the_conformance_file(tmp_path):
    vocabulary = parse_vocabulary((CONFORMANCE / "pieces.json").read_text("utf-8"))
    records = read_json_lines(CONFORMANCE / "texts.jsonl")
    records = [record for record in records if record["text"].isprintable()]
    texts = [record["text"] for record in records]
    _, *found = classify(PAGE_DRIVER, pack_vocabulary(vocabulary), texts, tmp_path)
    for record, answer in zip(records, found, strict=True):
        assert answer["tokens"] == record["pieces"], record["name"]


@needs_node
def test_ngrams_of_the_conformance_file_and_their_parts(node, tmp_path):
    ngrams = parse_ngrams((CONFORMANCE / "ngrams.bin").read_bytes(), 3, "ngrams.bin")
    vocabulary = parse_vocabulary((CONFORMANCE / "vocab.json").read_text("utf-8"))
    model = pack_vocabulary(replace(vocabulary, labels=("a", "b", "c")), ngrams)
    (tmp_path / "model.bin").write_bytes(model)
    records = read_json_lines(CONFORMANCE / "texts.jsonl")
    answers = node(NGRAMS, tmp_path / "model.bin", stdin=json.dumps(records))
    for record, found in zip(records, answers, strict=True):
        text, name = record["text"], record["name"]
        assert found["found"] == record["ngrams"], name
        parts = split_ngrams(ngrams, text, record["tokens"], WORDS, lambda logits: logits[1])
        np.testing.assert_allclose(found["parts"], parts[:-1], atol=1e-4, err_msg=name)


@needs_node
@pytest.mark.nightly
@pytest.mark.parametrize(
    "tokenizer", [WORDS, WORDS_AND_PUNCTUATION, make_pieces(())], ids=["words", "all", "pieces"]
)
def test_ids_of_many_random_texts(tmp_path, tokenizer):
    assert_equal_ids(PAGE_DRIVER, tmp_path, [*draw_texts(RANDOM_TEXTS)], tokenizer)


@needs_node
@pytest.mark.nightly
@pytest.mark.parametrize("recipe", ["float32", "float16", "dynamic", "int4"])
def test_predictions_of_every_recipe_for_many_texts(exported, tmp_path, recipe):
    bundle = exported("glosses", "--quantize", recipe, "--no-gate")
    texts = [row["text"] for row in read_csv(GLOSSES)]
    assert len(texts) > 1_500
    assert_equal_predictions(PAGE_DRIVER, bundle, texts, tmp_path)


@needs_node
def test_tokens_of_a_long_text_are_those_of_its_parts(node):
    text = "It’s a  small, small bi\u200brd: don't_ 日本 é!  " * 2_000 + "x" * 10_000
    (found,) = node(TOKENIZE, stdin=json.dumps([text]))
    assert found == [WORDS.tokenize(text)]


@needs_node
@pytest.mark.parametrize(
    ("run_name", "options"),
    [
        ("glosses", ()),
        ("two", ("--quantize", "float32")),
        ("glosses", ("--layout", "folded")),
        ("glosses", ("--quantize", "int4")),
        ("pairs", ()),
        ("wide", ()),
    ],
)
def test_explanations_are_those_of_python(exported, tmp_path, run_name, options):
    classifier = Classifier.load(exported(run_name, *options))
    texts = ["", "bird", "zyx", *(row["text"] for row in read_csv(GLOSSES)[::100])]
    model = build_model_file(classifier.bundle).content
    _, *found = classify(PAGE_DRIVER, model, texts, tmp_path)
    for text, answer in zip(texts, found, strict=True):
        expected = classifier.explain(text, classifier.labels[answer["label"]])
        assert answer["tokens"] == [*expected.tokens]
        assert answer["standIns"] == [*expected.stand_ins]
        np.testing.assert_allclose(answer["parts"], expected.parts, atol=1e-3, err_msg=text)
        assert answer["rest"] == pytest.approx(expected.rest, abs=1e-3)


@needs_node
def test_parts_with_ngrams_add_up_to_the_log_odds(exported, tmp_path):
    model = build_model_file(read_bundle(exported("characters"))).content
    texts = ["", "bird", *(row["text"] for row in read_csv(GLOSSES)[::100])]
    _, *found = classify(PAGE_DRIVER, model, texts, tmp_path)
    for text, answer in zip(texts, found, strict=True):
        logs = np.log(answer["probabilities"])
        expected = logs[answer["label"]] - logs.mean()
        assert sum(answer["parts"]) + answer["rest"] == pytest.approx(expected, abs=1e-4), text


@needs_node
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: b"", "no model.bin"),
        (lambda model: b"TFL3" + model[4:], "no model.bin"),
        (lambda model: model[:4] + b"\2" + model[5:], "for a newer page"),
        (lambda model: model[:-16], "lost bytes"),
        (lambda model: model[:-1] + bytes([model[-1] ^ 1]), "bytes were changed"),
    ],
)
def test_a_file_that_is_no_intact_model_is_refused_with_the_reason(
    bundle, tmp_path, change, message
):
    model = change(build_model_file(read_bundle(bundle)).content)
    (answer,) = classify(PAGE_DRIVER, model, ["text"], tmp_path)
    assert message in answer["message"]


@needs_node
def test_damaged_models_are_refused_or_harmless(hashed_bundle, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(build_model_file(read_bundle(hashed_bundle)).content)
    program = PAGE_DRIVER.parent / "fuzz.mjs"
    accepted, refused = map(int, run("node", program, path, DAMAGES).stdout.split())
    assert refused > accepted > 0


def files_of(folder):
    """Return the files of a folder and their content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_site_holds_the_page_and_what_it_needs_of_the_bundle(hashed_bundle, tmp_path):
    convert("site", hashed_bundle, "--out", tmp_path / "site")
    files = files_of(tmp_path / "site")
    (version,) = {name.split("/")[1] for name in files if name.startswith("files/")}
    folder = f"files/{version}"
    code = {"app.js", "old-browser.js", "style.css"}
    bundle = {"bundle/model.bin", "bundle/manifest.json", "bundle/MODEL_CARD.md"}
    assert files.keys() == {
        "index.html",
        "service-worker.js",
        *(f"{folder}/{name}" for name in code | bundle),
    }
    model = build_model_file(read_bundle(hashed_bundle)).content
    assert files[f"{folder}/bundle/model.bin"] == model
    for name in ("manifest.json", "MODEL_CARD.md"):
        assert files[f"{folder}/bundle/{name}"] == (hashed_bundle / name).read_bytes()
    page, worker = files["index.html"].decode(), files["service-worker.js"].decode()
    for link in re.findall(r'(?:href|src)="([^"]*)"', page):
        assert link == "data:," or link in files
    kept = json.loads(re.search(r"FILES = (\[.*?\])", worker)[1])
    assert {f"{folder}/{name}" for name in kept} == {name for name in files if folder in name}


def test_the_page_and_its_engine_are_small(bundle, tmp_path):
    convert("site", bundle, "--out", tmp_path / "site")
    files = files_of(tmp_path / "site")
    code = [content for name, content in files.items() if "/bundle/" not in name]
    assert sum(len(gzip.compress(content, 6)) for content in code) <= MAX_COMPRESSED_BYTES


@needs_node
def test_the_joined_modules_of_a_site_are_one_module(bundle, tmp_path):
    convert("site", bundle, "--out", tmp_path / "site")
    (path,) = (tmp_path / "site").glob("files/*/app.js")
    run("node", "--check", path.rename(path.with_suffix(".mjs")))
    assert b"Decoder" in path.with_suffix(".mjs").read_bytes()
    assert not re.search(rb"^\s*(import|export) ", path.with_suffix(".mjs").read_bytes(), re.M)


def test_a_site_allows_its_own_scripts_and_nothing_else(bundle, tmp_path):
    convert("site", bundle, "--out", tmp_path / "site")
    page = (tmp_path / "site/index.html").read_text("utf-8")
    policy = re.search(r'Content-Security-Policy"\s+content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in policy


def test_another_bundle_or_title_is_another_version_of_the_site(bundle, int4_bundle, tmp_path):
    sites = {"same": (bundle,), "again": (bundle,), "other": (int4_bundle,)}
    sites["title"] = (bundle, "--title", "Mine")
    for name, options in sites.items():
        convert("site", *options, "--out", tmp_path / name)
    assert files_of(tmp_path / "same") == files_of(tmp_path / "again")
    versions = {path.name for path in tmp_path.glob("*/files/*")}
    assert len(versions) == 3


@pytest.mark.parametrize(
    ("title", "sample"),
    [
        (None, None),
        ('A <b> & "c"', "\n</textarea> &lt; __FILES__"),
        ("__SAMPLE__", ""),
        ("a\udcff", "b\udcff"),
    ],
)
def test_title_and_first_text(bundle, tmp_path, title, sample):
    given = {"--title": title, "--sample": sample}
    options = [part for pair in given.items() if pair[1] is not None for part in pair]
    convert("site", bundle, "--out", tmp_path / "site", *options)
    page = (tmp_path / "site/index.html").read_text("utf-8")
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)[1]
    shown = html.unescape(re.search("<title>(.*)</title>", page)[1]), html.unescape(found)
    default = "animal or food or person or plant?", "It wasn't GOOD, it was great!"
    expected = default if title is None else (title, sample)
    assert shown == tuple(text.replace("\udcff", "?") for text in expected)


def test_no_link_of_a_bundle_is_followed(bundle, tmp_path):
    (tmp_path / "secret").write_text("a secret", "utf-8")
    for name in ("MODEL_CARD.md", "manifest.json", "vocab.json"):
        copy = shutil.copytree(bundle, tmp_path / name)
        (copy / name).rename(tmp_path / f"own-{name}")
        (copy / name).symlink_to(tmp_path / f"own-{name}")
        for option in ("--out", "--module"):
            done = convert("site", copy, option, tmp_path / "out", check=False)
            assert done.returncode == 1
            assert f"{copy / name} is a symbolic link" in done.stderr
            assert not (tmp_path / "out").exists()


def test_a_bundle_may_be_linked_as_a_whole(bundle, tmp_path):
    (tmp_path / "latest").symlink_to(bundle)
    convert("site", tmp_path / "latest", "--out", tmp_path / "site")
    assert (tmp_path / "site/index.html").is_file()


def test_a_pipe_in_a_bundle_is_refused(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    (copy / "MODEL_CARD.md").unlink()
    os.mkfifo(copy / "MODEL_CARD.md")
    done = convert("site", copy, "--out", tmp_path / "site", check=False)
    assert "is not a regular file" in done.stderr


def test_a_large_file_in_a_bundle_is_refused(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    os.truncate(copy / "MODEL_CARD.md", 1 << 40)
    done = convert("site", copy, "--out", tmp_path / "site", check=False)
    assert "MODEL_CARD.md has more than 1,048,576 bytes" in done.stderr
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("option", ["--out", "--module"])
def test_models_that_the_page_cannot_run_are_refused(bundle, tmp_path, option):
    changes = {"conv-lstm": {"architecture": "conv-lstm"}, "int8": {"recipe": "int8"}}
    bundles = {"vocab.json format 1": LEGACY_BUNDLE}
    for name, change in changes.items():
        bundles[name] = shutil.copytree(bundle, tmp_path / name)
        update_manifest(bundles[name], **change)
    for reason, path in bundles.items():
        done = convert("site", path, option, tmp_path / "out", check=False)
        assert done.returncode == 1
        assert reason in done.stderr
        assert not (tmp_path / "out").exists()


def test_a_site_is_replaced_only_on_demand(bundle, tmp_path):
    for option in ("--out", "--module"):
        folder = tmp_path / option.strip("-")
        convert("site", bundle, option, folder)
        done = convert("site", bundle, option, folder, check=False)
        assert done.returncode == 1
        assert "--overwrite" in done.stderr
        convert("site", bundle, option, folder, "--overwrite")


@pytest.mark.parametrize(
    ("options", "message"),
    [((), "'--out' or '--module'"), (("--module", "m", "--title", "Mine"), "give --out too")],
)
def test_options_that_name_no_site_are_wrong(bundle, options, message):
    done = convert("site", bundle, *options, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_module_holds_the_code_without_the_page(bundle, tmp_path):
    written = json.loads(convert("site", bundle, "--module", tmp_path / "m", "--json").stdout)
    files = files_of(tmp_path / "m")
    assert {"glovelite.js", "glovelite.d.ts", "package.json", "bundle/model.bin"} <= files.keys()
    assert not {"app.js", "style.css", "bundle/manifest.json"} & files.keys()
    assert written["module"]["model_bytes"] == len(files["bundle/model.bin"])
    imported = {
        name for content in files.values() for name in re.findall(rb'from "\./([\w.-]+)"', content)
    }
    assert {name.decode() for name in imported} <= files.keys()


@needs_node
def test_the_example_of_the_documentation_runs_in_node(bundle, tmp_path):
    page = (ROOT / "docs/browser.md").read_text("utf-8")
    (example,) = re.findall("```js\n(.*?)```", page, re.DOTALL)
    assert len(example.splitlines()) <= 10
    convert("site", bundle, "--module", tmp_path / "m")
    (tmp_path / "m/example.js").write_text(example, "utf-8")
    printed = run("node", "example.js", cwd=tmp_path / "m").stdout
    (prediction,) = Classifier.load(bundle).predict("A moving, funny, beautifully acted film.")
    assert prediction.label in printed


@needs_node
@pytest.mark.parametrize("address", ["bundle", "bundle/", "bundle/model.bin", "{url}/bundle/"])
def test_a_module_loads_a_folder_or_a_file(bundle, tmp_path, address):
    folder = tmp_path / "a folder, 100 %"
    convert("site", bundle, "--module", folder)
    script = f"""
      import {{ load }} from "./glovelite.js";
      const classifier = await load({json.dumps(address.format(url=folder.as_uri()))});
      console.log(JSON.stringify(classifier.labels));
    """
    (folder / "script.mjs").write_text(script, "utf-8")
    printed = run("node", "script.mjs", cwd=folder).stdout
    assert json.loads(printed) == list(read_bundle(bundle).vocabulary.labels)


@needs_node
def test_a_module_names_a_missing_file_in_one_error(bundle, tmp_path):
    convert("site", bundle, "--module", tmp_path / "m")
    script = """
      import { GloveliteError, load } from "./glovelite.js";
      const error = await load("elsewhere/").catch((error) => error);
      console.log(JSON.stringify([error instanceof GloveliteError, error.message]));
    """
    (tmp_path / "m/script.mjs").write_text(script, "utf-8")
    is_own, message = json.loads(run("node", "script.mjs", cwd=tmp_path / "m").stdout)
    assert is_own
    assert "elsewhere/model.bin cannot be read" in message


@needs_node
def test_the_types_name_every_field(bundle, tmp_path):
    types = (CODE_FOLDER / "glovelite.d.ts").read_text("utf-8")
    model = build_model_file(read_bundle(bundle)).content
    (tmp_path / "model.bin").write_bytes(model)
    script = f"""
      import {{ readFileSync }} from "node:fs";
      import {{ Classifier }} from "{CODE_FOLDER}/glovelite.js";
      const classifier = new Classifier(readFileSync({json.dumps(str(tmp_path / "model.bin"))}));
      const made = [classifier.predict("a bird"), classifier.explain("a bird")];
      console.log(JSON.stringify(made.map(Object.keys)));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    for name, fields in zip(("Prediction", "Explanation"), json.loads(done.stdout), strict=True):
        body = re.search(rf"interface {name} {{(.*?)\n}}", types, re.DOTALL)[1]
        assert re.findall(r"^  (\w+):", body, re.MULTILINE) == fields


def test_a_manifest_is_published_as_it_is(bundle, tmp_path):
    convert("site", bundle, "--out", tmp_path / "site")
    (path,) = (tmp_path / "site").glob("files/*/bundle/manifest.json")
    assert read_json(path)["goldens"] == read_bundle(bundle).manifest["goldens"]
