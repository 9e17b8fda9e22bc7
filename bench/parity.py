"""Compares a bundle for MediaPipe with our runtime on held-out texts, and says why they differ.

    python bench/parity.py RUN PEERS_PYTHON

exports RUN with and without what MediaPipe needs, runs the first 2,000 test texts, as their users
wrote them, through MediaPipe's own TextClassifier and through the runtime, and prints what the
README tells. A text whose label differs is put down to the tokens that MediaPipe reads otherwise.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from convert import Order, export_bundle
from convert.targets.spellings import list_spellings
from convert.verify.device import run_on_device
from runtime.bundle import read_bundle
from runtime.tokenizer import PATTERN, tokenize

TEXTS = 2_000
CLASSIFY = """
import json, sys, time
from mediapipe.tasks.python import BaseOptions, text
options = text.TextClassifierOptions(base_options=BaseOptions(model_asset_path=sys.argv[1]))
with text.TextClassifier.create_from_options(options) as classifier:
    for line in sys.stdin:
        (head,) = classifier.classify(json.loads(line)).classifications
        print(json.dumps({each.category_name: each.score for each in head.categories}))
"""


def unlisted(text: str, spellings: set[str], tokens: set[str]) -> list[str]:
    """Give the words of a text that we know and MediaPipe, in that spelling, does not."""
    words = re.findall(PATTERN.replace("'", "['’]"), text)
    return [word for word in words if tokenize(word)[0] in tokens and word not in spellings]


def main(run: Path, peers: str) -> None:
    """Compare and print."""
    records = [json.loads(line) for line in (run / "test.jsonl").open(encoding="utf-8")]
    texts = [record["text"] for record in records[:TEXTS]]
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        order = Order(run, bundle, layout="folded", max_words=10_000, mediapipe=True)
        done = export_bundle(order, lambda line: print(line, file=sys.stderr))
        loaded = read_bundle(bundle)
        answers = subprocess.run(
            [peers, "-c", CLASSIFY, str(bundle / "model.tflite")],
            input="".join(json.dumps(text) + "\n" for text in texts),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        ours = run_on_device(bundle, texts)
    labels = loaded.vocabulary.labels
    theirs = np.array([[json.loads(line)[label] for label in labels] for line in answers])
    same = ours.argmax(axis=1) == theirs.argmax(axis=1)
    differences = np.abs(ours - theirs).max(axis=1)
    spellings = {line.split(" ")[0] for line in list_spellings(loaded.vocabulary).splitlines()}
    tokens = set(loaded.vocabulary.tokens)
    missed = [unlisted(text, spellings, tokens) for text in texts]
    explained = np.array([bool(each) for each in missed])
    commonest = Counter(word for each in missed for word in each).most_common(8)
    plain = done.total_bytes - done.bytes["model.tflite"] + done.plain_bytes
    rows = {
        "MediaPipe's TextClassifier against our runtime": "",
        "---": "---",
        "texts, as their users wrote them": f"{len(texts):,}",
        "same label": f"{same.mean():.2%}",
        "largest probability difference": f"{differences.max():.3f}",
        "texts read to the same words": f"{np.mean(~explained):.1%}",
        "largest probability difference on those": f"{differences[~explained].max():.1e}",
        "other labels; of these on texts read otherwise": f"{sum(~same)}; {sum(~same & explained)}",
        "words read as unknown for their spelling, the commonest": ", ".join(
            f"{word} ({count})" for word, count in commonest
        ),
        "bundle with MediaPipe's vocabulary; without": f"{done.total_bytes:,}; {plain:,} bytes",
    }
    for what, value in rows.items():
        print(f"| {what} | {value} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
