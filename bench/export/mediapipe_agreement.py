"""Compares a bundle in MediaPipe with our runtime on held-out texts, and explains the differences.

    python -m bench.export.mediapipe_agreement RUN PEERS_PYTHON

Exports RUN with and without what MediaPipe needs, runs the first 2,000 test texts as their users
wrote them through MediaPipe's TextClassifier and through the runtime, and prints a Markdown table.
Texts with different labels are attributed to the words that MediaPipe's tokenizer does not find.
"""

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from bench.datasets import read_texts
from bench.reporting import log, print_table
from glovelite.convert import ExportOptions, export_bundle
from glovelite.convert.targets.mediapipe import MEDIAPIPE_VOCABULARY_FILE
from glovelite.convert.verify.device import run_on_device
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.logs import log_to
from glovelite.runtime.text.tokenizer import WORDS
from glovelite.runtime.text.vocabulary import UNKNOWN_ID, Vocabulary

MAX_TEXTS = 2_000
CLASSIFY = """
import json, sys, time
from mediapipe.tasks.python import BaseOptions, text
options = text.TextClassifierOptions(base_options=BaseOptions(model_asset_path=sys.argv[1]))
with text.TextClassifier.create_from_options(options) as classifier:
    for line in sys.stdin:
        (head,) = classifier.classify(json.loads(line)).classifications
        print(json.dumps({each.category_name: each.score for each in head.categories}))
"""


def read_spellings(model: Path) -> set[str]:
    """Return the spellings in MediaPipe's vocabulary, which is in a zip file after the model."""
    with zipfile.ZipFile(model) as files:
        lines = files.read(MEDIAPIPE_VOCABULARY_FILE).decode("utf-8").splitlines()
    return {line.split(" ")[0] for line in lines}


def missed_words(text: str, spellings: set[str], vocabulary: Vocabulary) -> list[str]:
    """Return the words of a text that the bundle knows but MediaPipe does not find."""
    words = [
        word
        for word in re.findall(WORDS.pattern.replace("'", "['’]"), text)
        if word not in spellings
    ]
    return [word for word in words if vocabulary.token_id(WORDS.tokenize(word)[0]) != UNKNOWN_ID]


def classify_with_mediapipe(python: str, model: Path, texts: list[str]) -> list[dict[str, float]]:
    """Return the probabilities of each text by label."""
    done = subprocess.run(
        [python, "-c", CLASSIFY, str(model)],
        input="".join(json.dumps(text) + "\n" for text in texts),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@log_to(log)
def main(run: Path, peers: str) -> None:
    """Compare and print the table."""
    texts = read_texts(run / "test.jsonl")[:MAX_TEXTS]
    options = ExportOptions(layout="folded", listed_words=10_000, mediapipe=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        result = export_bundle(run, path, options)
        vocabulary = read_bundle(path).vocabulary
        answers = classify_with_mediapipe(peers, path / "model.tflite", texts)
        ours = run_on_device(path, texts)
        spellings = read_spellings(path / "model.tflite")
    theirs = np.array([[answer[label] for label in vocabulary.labels] for answer in answers])
    same = ours.argmax(axis=1) == theirs.argmax(axis=1)
    differences = np.abs(ours - theirs).max(axis=1)
    missed = [missed_words(text, spellings, vocabulary) for text in texts]
    explained = np.array([bool(words) for words in missed])
    frequent = Counter(word for words in missed for word in words).most_common(8)
    plain = result.total_bytes - result.bytes["model.tflite"] + result.plain_bytes
    differing = f"{sum(~same)}; {sum(~same & explained)}"
    print_table(
        ["MediaPipe's TextClassifier against our runtime", ""],
        [
            ("texts, as their users wrote them", f"{len(texts):,}"),
            ("same label", f"{same.mean():.2%}"),
            ("largest probability difference", f"{differences.max():.3f}"),
            ("texts with the same tokens in both", f"{np.mean(~explained):.1%}"),
            ("largest probability difference on those", f"{differences[~explained].max():.1e}"),
            ("different labels; of these on texts with different tokens", differing),
            (
                "words unknown to MediaPipe because of their spelling, most frequent",
                ", ".join(f"{word} ({count})" for word, count in frequent),
            ),
            (
                "bundle with MediaPipe's vocabulary; without",
                f"{result.total_bytes:,}; {plain:,} bytes",
            ),
        ],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
