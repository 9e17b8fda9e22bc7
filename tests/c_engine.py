"""The C engine for tests: its compilers, the programs of tests/c, and models of any words."""

import json
import random
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glovelite.convert.model_bin.graph_weights import StoredRows, StoredWeights, StoredWide
from glovelite.convert.model_bin.model_file import build_model_file, pack_model
from glovelite.convert.targets.c_engine import ENGINE_FOLDER
from glovelite.runtime.bundle import Bundle
from glovelite.runtime.classifier import Classifier
from glovelite.runtime.text.hashed_words import build_hashed_words
from glovelite.runtime.text.pieces import PieceTokenizer, make_pieces
from glovelite.runtime.text.vocabulary import CONTROL_CHARACTERS, SPECIAL_TOKENS, Vocabulary

PROGRAMS = Path(__file__).parent / "c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
MAX_LISTED = 60_000
TOLERANCE = 1e-5  # of a probability, from the numpy engine's


def find_compiler():
    """Return the C compiler, or skip the test."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("no C compiler is installed")
    return compiler


def can_sanitize(compiler, folder):
    """Return whether a compiler can link its sanitizers."""
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    command = [compiler, *SANITIZED, "empty.c", "-o", "empty"]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


def build(compiler, folder, *options):
    """Compile the engine and the programs; return a function from a program's name to its path."""
    command = [compiler, *STRICT, *options, f"-I{ENGINE_FOLDER}"]
    engine = folder / "glovelite.o"
    subprocess.run([*command, "-c", ENGINE_FOLDER / "glovelite.c", "-o", engine], check=True)
    for source in sorted(PROGRAMS.glob("*.c")):
        output = folder / source.stem
        subprocess.run([*command, source, engine, "-lm", "-o", output], check=True)
    return lambda name: folder / name


def classify(driver, model, texts, folder, cache_bytes=0):
    """Classify texts by the program `driver`.

    Args:
        model: the content of `model.bin`.
        texts: strings, or bytes.
        folder: for the model.

    Returns:
        What the driver prints: first about the model, then about each text.
    """
    path = folder / "model.bin"
    path.write_bytes(model)
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    stdin = b"".join(struct.pack("<I", len(text)) + text for text in encoded)
    command = [driver, path, str(cache_bytes)]
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def random_weights(vocabulary):
    """Return random weights of a small model."""
    random_numbers = np.random.default_rng(0)

    def draw(*shape):
        return random_numbers.normal(size=shape).astype(np.float32)

    outputs = vocabulary.outputs
    kernels = (draw(1, 2, 3), draw(2, 2, 5))
    rows = StoredRows(draw(len(vocabulary.tokens), 2), None, 2)
    shapes, softmax = ((1, 3), (2, 5)), outputs > 1 and not vocabulary.multi_label
    return StoredWeights(
        rows, shapes, kernels, draw(8), draw(8, outputs), draw(outputs), None, None, softmax
    )


def shared_and_full_weights(vocabulary):
    """Return weights of shared columns, and those of columns by output that they stand for."""
    random_numbers, words = np.random.default_rng(0), len(vocabulary.tokens)
    kernel, values, mixing = (
        random_numbers.normal(size=shape).astype(np.float32)
        for shape in ((8, 2), (words, 3), (5, vocabulary.outputs))
    )
    values[0] = 0
    shared = {"kernel": kernel, "wide": StoredWide(values, None), "mixing": mixing}
    return shared, {"kernel": kernel @ mixing[:2], "wide": StoredWide(values @ mixing[2:], None)}


def pack_vocabulary(vocabulary, ngrams=None, **weights):
    """Return `model.bin` of a vocabulary with random weights, but for those that are given."""
    bundle = Bundle(Path("bundle"), {}, vocabulary, b"", ngrams)
    return pack_model(bundle, replace(random_weights(vocabulary), **weights)).content


def draw_texts(count):
    """Draw texts of any characters, of characters that are treated specially, and damaged ones."""
    draw = random.Random(0)
    special = "aAiIzé İıΣς'’_ \u0301\u0307\u0323\u3099\u00ad\u200b\u200c\u200d\ufe0f!?❤😂♀1²"
    special += "ผญ日かकिㅏ\u1100\u1161\u11a8가각\u09c7\u09be\u0f71\u0f72\u0344"
    for number in range(count):
        length = draw.randrange(30)
        if number % 3 == 1:
            largest = 0x20000 if draw.random() < 0.8 else 0x110000
            blocks = [draw.randrange(largest) for _ in range(3)]
            codes = (draw.choice(blocks) + draw.randrange(256) for _ in range(length))
            text = "".join(chr(min(code, 0x10FFFF)) for code in codes)
            yield text.encode("utf-8", "surrogatepass")
            continue
        text = bytearray("".join(draw.choices(special, k=length)).encode())
        for _ in range(draw.randrange(4) if number % 3 == 2 and text else 0):
            text[draw.randrange(len(text))] = draw.randrange(256)
        yield bytes(text)


def vocabulary_of(texts, tokenizer):
    """Return a vocabulary in which most tokens of texts, and of their parts, are known.

    So that a token that is not Python's has another id: half of them are listed, a third hashed.
    """
    if isinstance(tokenizer, PieceTokenizer):
        words = _draw_pieces(texts, tokenizer)
    else:
        tokens = (token for text in texts for token in tokenizer.tokenize(text))
        words = dict.fromkeys(part for token in tokens for part in (token, *token.split("'")))
    known = [word for word in words if word and not CONTROL_CHARACTERS.search(word)]
    random.Random(0).shuffle(known)
    half = min(len(known) // 2, MAX_LISTED)
    listed = (*SPECIAL_TOKENS, *known[:half])
    ids = {word: 2 + number % half for number, word in enumerate(known[half : half * 8 // 5])}
    vocabulary = Vocabulary(listed, ("no", "yes"), 4096, 2, build_hashed_words(ids))
    if isinstance(tokenizer, PieceTokenizer):
        tokenizer = make_pieces(listed[2:])
    return replace(vocabulary, tokenizer=tokenizer)


def _draw_pieces(texts, tokenizer):
    draw, pieces = random.Random(0), {}
    for text in texts:
        for word in tokenizer.normalize(text).split():
            start = draw.randrange(len(word) + 1)
            pieces[f"▁{word}"[start : start + draw.randrange(1, 6)]] = None
    return pieces


def assert_equal_ids(driver, folder, texts, tokenizer):
    """Assert that the engine finds the ids of Python for texts as bytes."""
    decoded = [text.decode("utf-8", "replace") for text in texts]
    vocabulary = vocabulary_of(decoded, tokenizer)
    _, *found = classify(driver, pack_vocabulary(vocabulary), texts, folder)
    for text, answer in zip(decoded, found, strict=True):
        encoded = vocabulary.encode(text)
        assert answer["ids"] == encoded.ids, ascii(text)
        assert answer["truncated"] == encoded.truncated, ascii(text)


def assert_equal_predictions(driver, bundle, texts, folder, cache_bytes=0):
    """Assert that the engine predicts what Python does for a bundle's texts, by the numpy engine.

    Its arithmetic is that of the C engine. It is chosen here alone: bundles that tests share are
    exported with the default interpreter.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOVELITE_INTERPRETER", "numpy")
        classifier = Classifier.load(bundle)
    model = build_model_file(classifier.bundle)
    _, *found = classify(driver, model.content, texts, folder, cache_bytes)
    index = {label: number for number, label in enumerate(classifier.labels)}
    for text, answer, expected in zip(texts, found, classifier.predict(texts), strict=True):
        encoded = classifier.bundle.vocabulary.encode(text)
        assert answer["ids"] == encoded.ids, text
        assert answer["corrected"] == encoded.corrected, text
        probabilities = list(expected.probabilities.values())
        np.testing.assert_allclose(answer["probabilities"], probabilities, atol=TOLERANCE)
        assert answer["given"] == [index[label] for label in expected.labels], text
        assert answer["label"] == index[expected.label]
        assert answer["truncated"] == expected.truncated
        assert answer["unfamiliar"] == expected.unfamiliar
        assert answer["known"] == pytest.approx(expected.known)
        assert answer["familiarity"] == pytest.approx(encoded.familiarity)
        assert answer["confidence"] == pytest.approx(expected.confidence, abs=TOLERANCE)
        rule = classifier.bundle.abstention
        threshold = rule.labels.get(expected.label, rule.probability)
        if abs(expected.confidence - threshold) > TOLERANCE:
            assert answer["abstained"] == expected.abstained, text
