"""The model card: what a person wants to know before putting a bundle on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtime.vocabulary import Vocabulary


def write_card(
    path: Path,
    manifest: dict[str, Any],
    sizes: dict[str, int],
    vocabulary: Vocabulary,
    section: str = "",
) -> None:
    """Write `MODEL_CARD.md`.

    Args:
        path: the file to write.
        manifest: the bundle's whole manifest.
        sizes: of each file the device needs, by name, bytes.
        vocabulary: the bundle's.
        section: more of it, in Markdown.
    """
    path.write_text(_card(manifest, sizes, vocabulary, section), "utf-8")


def _card(
    manifest: dict[str, Any], sizes: dict[str, int], vocabulary: Vocabulary, section: str
) -> str:
    corpus = manifest["trained"]["corpus"]
    rows = [*sizes.items(), ("together", sum(sizes.values()))]
    size = "\n".join(f"| {name} | {count:,} |" for name, count in rows)
    accuracy = "\n".join(
        f"| {name} | {each['texts']:,} | {each['keras']:.2%} | {each['device']:.2%} "
        f"| {each['agreement']:.2%} | {each['largest_difference']:.4f} |"
        for name, each in manifest["accuracy"].items()
    )
    kept = f", of {manifest['words']:,} in training" * (len(vocabulary.tokens) < manifest["words"])
    return f"""\
# Text classifier: {", ".join(vocabulary.labels)}

Trained on {corpus["name"]} ({corpus["texts"]:,} texts) with {manifest["trained"]["glove"]},
frozen, under the architecture `{manifest["architecture"]}`; recipe `{manifest["recipe"]}`,
layout `{manifest["layout"]}`.

## Accuracy

Measured with {manifest["interpreter"]}, the interpreter a device uses. Dev text was chosen on,
test text was not.

| set | texts | Keras, float | device | same label | largest probability difference |
|---|---|---|---|---|---|
{accuracy}

{_rely(manifest["abstention"])}

## Size

| file the device needs | bytes |
|---|---|
{size}
{section}
## Use

    glovelite-run BUNDLE "your text"

or, in Python, `runtime.Classifier.load("BUNDLE").predict("your text")`. The model loads on
TFLite {manifest["oldest_runtime"]} and newer. A text is read to its first
{vocabulary.max_tokens} tokens; the answer says when it was cut.

## Limits

- The vocabulary holds {len(vocabulary.tokens):,} tokens of English{kept}; other words count as
  unknown.
- It knows the kind of text it was trained on. On another kind, measure before you rely on it.
- Its probabilities are those of texts like the training text, and no promise beyond them.
"""


def _rely(abstention: dict[str, Any]) -> str:
    """Say which answers to rely on."""
    few = f"of whose words it knows fewer than {abstention['known']:.0%}"
    if not abstention["probability"]:
        return f"Every answer is relied on, but on texts {few} (`--abstain`)."
    left = " and ".join(
        f"{abstention[name]['share']:.1%} of {name} ({abstention[name]['accuracy']:.1%} right)"
        for name in ("dev", "test")
    )
    return (
        f"Answers below {abstention['probability']:.1%}, and those on texts {few}, are marked as\n"
        f"abstained from (`--abstain` leaves them out); the probability leaves {left}."
    )
