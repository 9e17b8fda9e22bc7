"""What a person is told of a corpus, a table and a model, in lines."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.vocabulary import Vocabulary

from .data.corpus import Corpus, contradiction
from .data.split import Split
from .fitting.calibration import Calibration
from .fitting.metrics import Scores
from .vectors.cache import Glove
from .vectors.embedding_table import Coverage


def describe_corpus(corpus: Corpus) -> Iterator[str]:
    """Say how much text there is, of which classes, and what is odd about it."""
    yield (
        f"{corpus.name}: {len(corpus):,} texts, labels {', '.join(corpus.classes)}; "
        f"{corpus.repeated:,} repeated texts stay on one side of the split"
    )
    if contradicted := contradiction(corpus):
        yield f"{corpus.name}: {contradicted}"


def describe_table(coverage: Coverage, vocabulary: Vocabulary, glove: Glove) -> Iterator[str]:
    """Say where the vectors of the vocabulary came from, and what GloVe could not help with."""
    extra = f", {coverage.extra:,} that training never saw" if coverage.extra else ""
    yield (
        f"{glove.name}: {len(vocabulary.tokens):,} tokens, {coverage.own:,} with a vector of their "
        f"own, {coverage.composed:,} composed, {coverage.learned:,} learned{extra}; vectors cover "
        f"{coverage.running_words:.1%} of running words, the vocabulary {coverage.known_words:.1%}"
    )
    if coverage.commonest_without:
        yield f"commonest without a vector: {' '.join(coverage.commonest_without[:10])}"


def describe_fit(architecture: str, split: Split, vocabulary: Vocabulary) -> str:
    """Say what is about to be fitted."""
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in vars(split).items())
    return f"fitting {architecture} on {sizes} texts, read to {vocabulary.max_tokens} tokens"


def describe_calibration(calibration: Calibration) -> str:
    """Say how far probabilities are from the truth, before and after the temperature."""
    before, after = calibration.error["test"]
    return (
        f"test: expected calibration error {before:.1%}, {after:.1%} with temperature "
        f"{calibration.temperature:.2f} (fitted on dev, folded into the weights)"
    )


def describe_scores(scores: Scores) -> Iterator[str]:
    """Say how good the model is on the test texts, class by class."""
    low, high = scores.interval
    yield (
        f"test: accuracy {scores.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}, "
        f"{scores.texts:,} texts)"
    )
    width = max(len(each.label) for each in scores.classes)
    yield f"{'':{width}}  precision  recall     F1   texts"
    for each in scores.classes:
        yield (
            f"{each.label:{width}}  {each.precision:9.1%}  {each.recall:6.1%}  {each.f1:5.1%}"
            f"  {each.texts:6,}"
        )
