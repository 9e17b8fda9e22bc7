"""Labelled text and GloVe in, a run folder out."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from runtime.folder import check_target, written_whole
from runtime.quiet import quiet_start
from runtime.tokenizer import tokenize
from runtime.vocabulary import Vocabulary

from .corpus import Corpus, read_corpus
from .glove import Glove
from .glove_packages import open_glove
from .packages import Say
from .scores import Scores, score
from .settings import LENGTH_PERCENTILE, LONGEST_DEFAULT, Settings
from .split import sample_calibration, split_corpus
from .table import Coverage, build_table, count_tokens


def train_classifier(
    source: str,
    target: Path,
    settings: Settings,
    glove: str = "glove.6B.100d",
    overwrite: bool = False,
    say: Say = print,
) -> dict[str, Any]:
    """Train a classifier and write its run folder.

    Args:
        source: a CSV file of `text,label`, or a corpus known by name.
        target: the run folder to write; it appears when all is done.
        settings: every choice.
        glove: vectors known by name, or the path of a GloVe text file.
        overwrite: replace a run folder that is there.
        say: called with a line for every step.

    Returns:
        The content of `metrics.json`.

    Raises:
        DataError: the text cannot be trained on.
        GloveError: the vectors cannot be found or read.
        DownloadError: a package cannot be fetched.
        TargetError: the run folder is in the way or cannot be written.
    """
    check_target(target, overwrite, marker="metrics.json")
    corpus = read_corpus(source, say)
    say(
        f"{corpus.name}: {len(corpus.texts):,} texts, labels {', '.join(corpus.classes)}; "
        f"{corpus.repeated:,} repeated texts stay on one side of the split"
    )
    parts = split_corpus(corpus, settings.seed)
    vectors = open_glove(glove, say)
    table = build_table(count_tokens(parts.train.texts), vectors, settings)
    vocabulary = Vocabulary(
        table.tokens,
        corpus.classes,
        settings.max_tokens or choose_length(parts.train),
        trailing_padding=settings.kernel_size,
    )
    _say_table(table.coverage, vocabulary, vectors, say)

    with quiet_start():  # TensorFlow takes seconds to import: bad input is told before
        from .batches import encode_corpus
        from .fit import fit, predict
    encoded = {
        name: encode_corpus(part, vocabulary)
        for name, part in (("train", parts.train), ("dev", parts.dev), ("test", parts.test))
    }
    sizes = ", ".join(f"{len(each):,} {name}" for name, each in encoded.items())
    say(f"fitting conv-pool on {sizes} texts")
    classes = len(vocabulary.labels)
    fitted = fit(table, encoded["train"], encoded["dev"], classes, settings, say)
    scores = {
        name: score(encoded[name].targets, predict(fitted.model, encoded[name]), vocabulary.labels)
        for name in ("dev", "test")
    }
    metrics = {
        "configuration": {
            "architecture": "conv-pool",
            "glove": vectors.name,
            **asdict(settings),
            "max_tokens": vocabulary.max_tokens,
        },
        "versions": _versions(),
        "corpus": _describe(corpus),
        "coverage": asdict(table.coverage),
        "seconds": round(fitted.seconds, 1),
        "history": fitted.history,
        "scores": {name: asdict(each) for name, each in scores.items()},
    }
    texts = {
        "calibration": sample_calibration(parts.train, settings.seed),
        "dev": parts.dev,
        "test": parts.test,
    }
    from .run_folder import write_run

    with written_whole(target) as folder:
        write_run(folder, fitted.model, vocabulary, texts, metrics, scores["test"])
    _say_scores(scores["test"], say)
    say(f"run folder {target}: curves in {target / 'curves.png'}")
    return metrics


def choose_length(train: Corpus) -> int:
    """Choose how many tokens of a text to look at: enough for 95 % of them, at most 400."""
    lengths = [len(tokenize(text)) for text in train.texts]
    longest = int(np.percentile(lengths, LENGTH_PERCENTILE, method="higher"))
    return max(1, min(LONGEST_DEFAULT, longest))


def _say_table(coverage: Coverage, vocabulary: Vocabulary, glove: Glove, say: Say) -> None:
    say(
        f"{glove.name}: {len(vocabulary.tokens):,} tokens, {coverage.own:,} with a vector of their "
        f"own, {coverage.composed:,} composed, {coverage.learned:,} learned; vectors cover "
        f"{coverage.running_words:.1%} of running words; texts are read to {vocabulary.max_tokens} "
        "tokens"
    )
    if coverage.commonest_without:
        say(f"commonest without a vector: {' '.join(coverage.commonest_without[:10])}")


def _say_scores(scores: Scores, say: Say) -> None:
    low, high = scores.interval
    say(
        f"test: accuracy {scores.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}, "
        f"{scores.texts:,} texts)"
    )
    width = max(len(each.label) for each in scores.classes)
    say(f"{'':{width}}  precision  recall     F1   texts")
    for each in scores.classes:
        say(
            f"{each.label:{width}}  {each.precision:9.1%}  {each.recall:6.1%}  {each.f1:5.1%}"
            f"  {each.texts:6,}"
        )


def _describe(corpus: Corpus) -> dict[str, Any]:
    return {
        "name": corpus.name,
        "texts": len(corpus.texts),
        "repeated": corpus.repeated,
        "fingerprint": corpus.fingerprint,
    }


def _versions() -> dict[str, str]:
    names = ("glovelite", "tensorflow", "keras", "numpy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}
