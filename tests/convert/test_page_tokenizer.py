"""The page's tokenizer and vocabulary, run by Node: the tokens and ids of Python."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from glovelite.convert.targets import site
from glovelite.runtime.explain import split_ngrams
from glovelite.runtime.ngrams import parse_ngrams
from glovelite.runtime.text.tokenizer import WORDS
from glovelite.runtime.text.vocabulary import TOKENIZERS
from tests.helpers import DATA, read_json_lines, run

CONFORMANCE = DATA / "conformance"
PAGE = Path(site.__file__).parent / "web" / "page"
pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
RANDOM_TEXTS = 100_000
#: Reads lines, first a specification, then texts; writes lines of tokens.
TOKENIZE = """
import { readFileSync } from "node:fs";
import { findTokenizer } from "./page/tokenizer.js";
const lines = readFileSync(0, "utf-8").split("\\n");
const [specification, ...texts] = lines.filter(Boolean).map((line) => JSON.parse(line));
const tokenizer = findTokenizer(specification);
console.log(texts.map((text) => JSON.stringify(tokenizer.tokenize(text))).join("\\n"));
"""
#: Reads a folder of conformance files, writes lines of ids.
ENCODE = """
import { readFileSync } from "node:fs";
import { HashedWords } from "./page/hashed-words.js";
import { Vocabulary } from "./page/vocabulary.js";
const folder = process.argv[2];
const content = JSON.parse(readFileSync(`${folder}/vocab.json`, "utf-8"));
const bytes = readFileSync(`${folder}/hashed_words.bin`);
const vocabulary = new Vocabulary(content, new HashedWords(bytes, content.tokens.length));
for (const line of readFileSync(`${folder}/texts.jsonl`, "utf-8").split("\\n").filter(Boolean)) {
  console.log(JSON.stringify(vocabulary.encode(JSON.parse(line).text).ids));
}
"""
#: Reads a folder of conformance files, writes lines of ids and numbers of corrected tokens.
CORRECT = """
import { readFileSync } from "node:fs";
import { HashedWords } from "./page/hashed-words.js";
import { Vocabulary } from "./page/vocabulary.js";
const folder = process.argv[2];
const content = JSON.parse(readFileSync(`${folder}/spelling.json`, "utf-8"));
const bytes = readFileSync(`${folder}/spelling_hashed_words.bin`);
const vocabulary = new Vocabulary(content, new HashedWords(bytes, content.tokens.length));
for (const line of readFileSync(`${folder}/spelling.jsonl`, "utf-8").split("\\n").filter(Boolean)) {
  const { ids, corrected } = vocabulary.encode(JSON.parse(line).text);
  console.log(JSON.stringify({ ids, corrected }));
}
"""
#: Reads a folder of conformance files, writes pieces.
PIECES = """
import { readFileSync } from "node:fs";
import { Vocabulary } from "./page/vocabulary.js";
const folder = process.argv[2];
const vocabulary = new Vocabulary(JSON.parse(readFileSync(`${folder}/pieces.json`, "utf-8")));
for (const line of readFileSync(`${folder}/texts.jsonl`, "utf-8").split("\\n").filter(Boolean)) {
  console.log(JSON.stringify(vocabulary.encode(JSON.parse(line).text)));
}
"""
#: Reads a folder of conformance files, writes the number and sums of n-grams, what they add to
#: probabilities, and the parts of tokens.
NGRAMS = """
import { readFileSync } from "node:fs";
import { NgramWeights } from "./page/ngrams.js";
import { Vocabulary } from "./page/vocabulary.js";
const folder = process.argv[2];
const content = JSON.parse(readFileSync(`${folder}/vocab.json`, "utf-8"));
const vocabulary = new Vocabulary({ ...content, labels: ["a", "b", "c"] });
const ngrams = new NgramWeights(readFileSync(`${folder}/ngrams.bin`), vocabulary);
for (const line of readFileSync(`${folder}/texts.jsonl`, "utf-8").split("\\n").filter(Boolean)) {
  const { text, tokens } = JSON.parse(line);
  const { count, sums } = ngrams.sumLevels(text);
  const added = ngrams.addTo([0.2, 0.3, 0.5], text);
  const parts = ngrams.split(text, tokens, (logits) => logits[1]);
  console.log(JSON.stringify({ found: [count, ...sums], added, parts }));
}
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A function that runs a module beside the page's and returns the lines of JSON it prints."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(PAGE, folder / "page")
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")

    def call(script, *arguments, stdin=""):
        (folder / "script.js").write_text(script, "utf-8")
        printed = run("node", folder / "script.js", *arguments, input=stdin).stdout
        return [json.loads(line) for line in printed.split("\n") if line]

    return call


def draw_texts(count):
    """Draw texts of any characters, and of characters that are treated in some special way."""
    draw = random.Random(0)
    special = "aAiIzé İıΣς'’_ \u0301\u0307\u0323\u3099\u00ad\u200b\u200c\u200d\ufe0f!?❤😂♀1²"
    special += "ผญ日かकि"
    for number in range(count):
        length = draw.randrange(30)
        if number % 2:
            yield "".join(draw.choices(special, k=length))
        else:
            blocks = [draw.randrange(0x110000) for _ in range(3)]
            codes = (draw.choice(blocks) + draw.randrange(256) for _ in range(length))
            yield "".join(chr(min(code, 0x10FFFF)) for code in codes)


def assert_equal_tokens(node, texts, tokenizers):
    for tokenizer in tokenizers:
        lines = map(json.dumps, (tokenizer.specification, *texts))
        found = node(TOKENIZE, stdin="\n".join(lines))
        for text, tokens in zip(texts, found, strict=True):
            assert tokens == tokenizer.tokenize(text), ascii(text)


def test_the_page_finds_the_ids_of_the_conformance_file(node):
    found = node(ENCODE, CONFORMANCE)
    records = read_json_lines(CONFORMANCE / "texts.jsonl")
    for record, ids in zip(records, found, strict=True):
        assert ids == record["ids"], record["name"]


def test_the_page_finds_the_nearest_spellings_of_the_conformance_file(node):
    records = read_json_lines(CONFORMANCE / "spelling.jsonl")
    for record, found in zip(records, node(CORRECT, CONFORMANCE), strict=True):
        assert found == {"ids": record["ids"], "corrected": record["corrected"]}, record["name"]


def test_the_page_finds_the_pieces_of_the_conformance_file(node):
    records = read_json_lines(CONFORMANCE / "texts.jsonl")
    for record, found in zip(records, node(PIECES, CONFORMANCE), strict=True):
        assert found["tokens"] == record["pieces"], record["name"]


def test_the_page_finds_the_ngrams_of_the_conformance_file(node):
    content = (CONFORMANCE / "ngrams.bin").read_bytes()
    ngrams = parse_ngrams(content, 3, "ngrams.bin")
    records = read_json_lines(CONFORMANCE / "texts.jsonl")
    for record, found in zip(records, node(NGRAMS, CONFORMANCE), strict=True):
        text, name = record["text"], record["name"]
        assert found["found"] == record["ngrams"], name
        probabilities = np.array([[0.2, 0.3, 0.5]], np.float32)
        expected = ngrams.add_to(probabilities, [text], WORDS, multi_label=False)
        np.testing.assert_allclose([found["added"]], expected, atol=1e-6, err_msg=name)
        parts = split_ngrams(ngrams, text, record["tokens"], WORDS, lambda logits: logits[1])
        np.testing.assert_allclose(found["parts"], parts[:-1], atol=1e-4, err_msg=name)


def test_every_tokenizer_of_the_page_finds_the_tokens_of_python(node):
    texts = [record["text"] for record in read_json_lines(CONFORMANCE / "texts.jsonl")]
    pinned = [tokenizer for tokenizer in TOKENIZERS if tokenizer.takes_parts]
    assert_equal_tokens(node, texts, pinned)
    assert_equal_tokens(node, ["It’s 'fine', Renée! दिन _x_"], TOKENIZERS)


@pytest.mark.slow
def test_the_page_finds_the_tokens_of_random_texts(node):
    assert_equal_tokens(node, [*draw_texts(RANDOM_TEXTS)], TOKENIZERS[:2])
