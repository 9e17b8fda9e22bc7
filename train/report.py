"""Describes a corpus, a table and a model as human-readable lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runtime.text.vocabulary import Vocabulary

from .data.corpus import Corpus, describe_contradictions
from .fitting.calibration import Calibration
from .fitting.metrics import Scores
from .vectors.cache import WordVectors
from .vectors.embedding_table import Coverage

MAX_SHOWN_TOKENS = 10


def describe_corpus(corpus: Corpus) -> Iterator[str]:
    """Describe how much text of which classes there is, and what is unusual about it."""
    yield (
        f"{corpus.name}: {len(corpus):,} texts, labels {', '.join(corpus.classes)}; "
        f"{corpus.duplicates:,} duplicate texts stay in the same part of the split"
    )
    if contradictions := describe_contradictions(corpus):
        yield f"{corpus.name}: {contradictions}"


def describe_table(
    coverage: Coverage, vocabulary: Vocabulary, vectors: WordVectors
) -> Iterator[str]:
    """Describe where the vectors of the vocabulary came from, and which words have none."""
    extra = f", {coverage.extra:,} added" if coverage.extra else ""
    yield (
        f"{vectors.name}: {len(vocabulary.tokens):,} tokens, {coverage.own:,} with their own "
        f"vector, {coverage.composed:,} composed, {coverage.learned:,} learned{extra}; vectors "
        f"cover {coverage.running_words:.1%} of the training tokens, the vocabulary "
        f"{coverage.known_words:.1%}"
    )
    if coverage.commonest_without:
        shown = " ".join(coverage.commonest_without[:MAX_SHOWN_TOKENS])
        yield f"most frequent tokens without a vector: {shown}"


def describe_calibration(calibration: Calibration) -> str:
    """Describe the calibration error before and after the temperature."""
    before, after = calibration.error["test"]
    return (
        f"test: expected calibration error {before:.1%}, {after:.1%} with temperature "
        f"{calibration.temperature:.2f} (fitted on dev, folded into the weights)"
    )


def describe_scores(scores: Mapping[str, Scores]) -> Iterator[str]:
    """Describe the test scores, class by class."""
    test = scores["test"]
    low, high = test.interval
    yield (
        f"test: accuracy {test.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}, "
        f"{test.texts:,} texts)"
    )
    if with_seen := scores.get("test_with_seen"):
        yield (
            f"test with the texts that training holds too: accuracy {with_seen.accuracy:.1%} "
            f"({with_seen.texts:,} texts)"
        )
    width = max(len(each.label) for each in test.classes)
    yield f"{'':{width}}  precision  recall     F1   texts"
    for each in test.classes:
        yield (
            f"{each.label:{width}}  {each.precision:9.1%}  {each.recall:6.1%}  {each.f1:5.1%}"
            f"  {each.texts:6,}"
        )
