"""Trains logistic regression on sentence embeddings, static embeddings and TF-IDF of characters.

    TEACHER_PYTHON -m bench.accuracy.encoder_rivals SPLIT SEED CACHE

Prints JSON as `rivals.py` does, with the µs of a text. The encoder is all-MiniLM-L6-v2 with int8
weights. The static embeddings are distilled from it by the published recipe of model2vec: the
encoder's output for each token of its vocabulary, reduced to 256 dimensions (PCA), times the
logarithm of the token's rank, which stands for its frequency (Zipf); a text is the mean of its
tokens. They are stored as int8. The regularization is chosen on dev text. CACHE is a folder for
embeddings. Runs where glovelite is not installed.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from bench.few_labels.sentence_teacher import FLOAT_BYTES, MODEL, TOKENIZER, Embeddings, Encoder

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)  # inverse, of the regularization
STATIC_DIMENSIONS = 256
TIMED_TEXTS = 200


class StaticEmbeddings:
    """Means of token vectors."""

    def __init__(self, cache):
        """Distil the vectors from the encoder, or read those of an earlier run."""
        encoder = Encoder()
        self.tokenizer = encoder.tokenizer
        path = cache / "static.npy"
        if not path.is_file():
            np.save(path, distil(encoder))
        self.vectors = np.load(path)

    def __getitem__(self, texts):
        """Return float32 [texts, dimensions]."""
        found = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        rows = [
            self.vectors[encoding.ids].astype(np.float32).mean(axis=0)
            if encoding.ids
            else np.zeros(STATIC_DIMENSIONS, np.float32)
            for encoding in found
        ]
        matrix = np.stack(rows)
        return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)


def distil(encoder):
    """Return a vector for each token of the encoder's vocabulary, int8 [tokens, dimensions]."""
    start, end = encoder.tokenizer.encode("").ids
    count = encoder.tokenizer.get_vocab_size()
    ids = np.array([(start, id_, end) for id_ in range(count)])
    outputs = np.concatenate(
        [encoder._embed_batch(ids[first : first + 64]) for first in range(0, count, 64)]
    )
    reduced = PCA(STATIC_DIMENSIONS, random_state=0).fit_transform(outputs)
    weighted = reduced * np.log(np.arange(count) + 2)[:, None]
    return np.round(weighted * (127 / np.abs(weighted).max())).astype(np.int8)


def read_part(path):
    """Return the texts and the labels of a JSONL file."""
    records = [json.loads(line) for line in path.open(encoding="utf-8")]
    return [record["text"] for record in records], [record["label"] for record in records]


def fit_best(parts, embed):
    """Fit with the strength that is best on dev text; return model, strength and dev accuracy."""
    features = {name: embed(parts[name][0]) for name in ("train", "dev")}
    best = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000)
        model.fit(features["train"], parts["train"][1])
        score = model.score(features["dev"], parts["dev"][1])
        if best is None or score > best[2]:
            best = model, strength, score
    return best


def measure(parts, embed, size, embed_now=None):
    """Return the results of a regression on embeddings.

    `size` is the bytes of what embeds, or a function of the model; `embed_now` embeds without a
    cache, for the time.
    """
    model, strength, dev = fit_best(parts, embed)
    tests = {name: texts for name, (texts, _) in parts.items() if name not in ("train", "dev")}
    times = []
    for text in tests["test"][:TIMED_TEXTS]:
        start = time.perf_counter()
        model.predict((embed_now or embed)([text]))
        times.append(1e6 * (time.perf_counter() - start))
    return {
        "dev": dev,
        "choice": f"C {strength:g}",
        "settings": strength,
        "bytes": size + FLOAT_BYTES * model.coef_.size,
        "microseconds": statistics.median(times),
        "predicted": {name: model.predict(embed(texts)).tolist() for name, texts in tests.items()},
    }


def measure_characters(parts):
    """Return the results of TF-IDF on n-grams of one to four characters within words."""
    vectorizer = TfidfVectorizer(
        sublinear_tf=True, min_df=2, analyzer="char_wb", ngram_range=(1, 4), dtype=np.float32
    )
    vectorizer.fit(parts["train"][0])
    size = sum(len(ngram.encode()) + FLOAT_BYTES for ngram in vectorizer.vocabulary_)
    return measure(parts, make_pipeline(vectorizer).transform, size)


def main(split, _seed, cache):
    """Run all and print the results."""
    parts = {path.stem: read_part(path) for path in sorted(Path(split).glob("*.jsonl"))}
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    embeddings = Embeddings(cache / f"{Path(split).parents[1].name}.npz")
    embeddings.add([text for texts, _ in parts.values() for text in texts])
    static, tokenizer = StaticEmbeddings(cache), TOKENIZER.stat().st_size
    results = {
        "encoder + LR": measure(
            parts, embeddings.__getitem__, MODEL.stat().st_size + tokenizer, Encoder().embed
        ),
        "static embeddings + LR": measure(
            parts, static.__getitem__, static.vectors.nbytes + tokenizer
        ),
        "TF-IDF characters + LR": measure_characters(parts),
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
