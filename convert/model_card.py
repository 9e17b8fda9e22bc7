"""The model card: what people should know before they deploy a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glovelite.runtime.decision.abstention import ABSTAIN_FROM_ALL
from glovelite.runtime.decision.thresholds import NEVER_GIVEN
from glovelite.runtime.text.vocabulary import Vocabulary

from .manifest import bundle_bytes


def write_model_card(
    path: Path, manifest: dict[str, Any], vocabulary: Vocabulary, section: str = ""
) -> None:
    """Write `MODEL_CARD.md`.

    Args:
        path: the file to write.
        manifest: of the bundle.
        vocabulary: of the bundle.
        section: an additional section in Markdown.
    """
    path.write_text(_model_card(manifest, bundle_bytes(path.parent), vocabulary, section), "utf-8")


def _model_card(
    manifest: dict[str, Any], sizes: dict[str, int], vocabulary: Vocabulary, section: str
) -> str:
    corpus = manifest["trained"]["corpus"]
    rows = [*sizes.items(), ("total", sum(sizes.values()))]
    size_table = "\n".join(f"| {name} | {count:,} |" for name, count in rows)
    accuracy_table = "\n".join(
        f"| {name} | {each['texts']:,} | {each['keras']:.2%} | {each['device']:.2%} "
        f"| {each['agreement']:.2%} | {each['largest_difference']:.4f} |"
        for name, each in manifest["accuracy"].items()
    )
    return f"""\
# Text classifier: {", ".join(vocabulary.labels)}

Trained on {corpus["name"]} ({corpus["texts"]:,} texts) with frozen vectors
{manifest["trained"]["glove"]}. Architecture `{manifest["architecture"]}`, recipe
`{manifest["recipe"]}`, layout `{manifest["layout"]}`.

## {"Micro F1" if vocabulary.multi_label else "Accuracy"}

Measured with {manifest["interpreter"]}, the interpreter that a device uses. Choices were made on
dev text, none on test text.

| set | texts | Keras, float | device | same label | largest probability difference |
|---|---|---|---|---|---|
{accuracy_table}
{_describe_thresholds(manifest)}{_describe_folds(manifest["trained"])}
{_describe_abstention(manifest["abstention"])}

## Size

| file that a device needs | bytes |
|---|---|
{size_table}
{section}
## Use

    glovelite-run BUNDLE "your text"

or, in Python, `glovelite.Classifier.load("BUNDLE").predict("your text")`. The model loads on
TFLite {manifest["oldest_runtime"]} and newer. It reads the first {vocabulary.max_tokens} tokens
of a text; predictions say whether a text was truncated.

## Limits

- {_describe_words(vocabulary, manifest["words"])}
- The scores hold for text like the training text. Measure on other text before you rely on it.
- So do the probabilities.
"""


def _describe_words(vocabulary: Vocabulary, trained: int) -> str:
    listed, hashed = len(vocabulary.tokens), vocabulary.hashed_count
    more = f" and hashes {hashed:,} more" if hashed else ""
    of = f", of {trained:,} in training" if listed < trained else ""
    shared = " A hashed word is read as the most similar listed word." if hashed else ""
    return (
        f"The vocabulary lists {listed:,} words of English{more}{of};\n"
        f"  all other words are unknown.{shared}"
    )


def _describe_thresholds(manifest: dict[str, Any]) -> str:
    """Return the table of the labels' thresholds, for multi-label text."""
    thresholds = manifest.get("thresholds")
    if thresholds is None:
        return ""
    rows = "\n".join(
        f"| {label} | {'never given' if value >= NEVER_GIVEN else f'{value:.1%}'} |"
        for label, value in thresholds.items()
    )
    return f"""
A text gets each label whose probability reaches the label's threshold, possibly none.

| label | threshold |
|---|---|
{rows}
"""


def _describe_folds(trained: dict[str, Any]) -> str:
    """Describe the cross-validation, if there was one."""
    folds = trained.get("cross_validation")
    if folds is None:
        return ""
    low, high = folds["interval"]
    return f"""
Cross-validation in training, with {folds["folds"]} folds: accuracy {folds["accuracy"]:.1%}
(95 % interval {low:.1%} to {high:.1%}, {folds["texts"]:,} texts, each classified by a model that
was trained without it). Accuracy on dev text, on which training stopped, is often higher.
"""


def _describe_abstention(abstention: dict[str, Any]) -> str:
    few_known = f"in which fewer than {abstention['known']:.0%} of the words are known"
    thresholds = abstention.get("labels") or {"": abstention["probability"]}
    if not any(thresholds.values()):
        return f"`--abstain` abstains only on texts {few_known}."
    if min(thresholds.values()) >= ABSTAIN_FROM_ALL:
        return (
            "`--abstain` relies on no prediction: the dev texts are too few, or too often wrong,\n"
            f"to show an accuracy of {abstention['accuracy']:.1%} at any probability."
        )
    answered = " and ".join(
        f"{abstention[name]['share']:.1%} of {name} ({abstention[name]['accuracy']:.1%} correct)"
        for name in ("dev", "test")
        if name in abstention
    )
    shown = ", ".join(
        f"{value:.1%} for {label}" if label else f"{value:.1%}"
        for label, value in thresholds.items()
    )
    return (
        f"Predictions with a confidence below {shown}, and those on texts {few_known}, are\n"
        f"marked as abstained (`--abstain`). The threshold keeps {answered}.\n"
        "The confidence is the probability, lowered for texts whose words are unlike those of the\n"
        "training text."
    )
