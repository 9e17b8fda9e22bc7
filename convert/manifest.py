"""The manifest: what a bundle says of itself, checked by the runtime before anything runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runtime.bundle import BUNDLE_FORMAT, MANIFEST_FILE, MODEL_FILE, VOCABULARY_FILE, describe_file
from runtime.tokenizer import tokenize_start
from runtime.vocabulary import Vocabulary

from .tflite.recipes import Recipe
from .verify.abstention import Abstention, Answered
from .verify.fidelity import Fidelity, Scores

_SENTENCES = (
    "The train leaves at seven.",
    "It wasn't GOOD, it was great!",
    "Don’t wait: they’re 'almost' here...",
    "A café in Zürich, two cafe\u0301s in Oslo",
    "Привет, мир: 3 kinds of tea_leaf",
    "",
    "?!",
    "İstanbul, STRAẞE, ΟΔΟΣ ΣΑΣ",
    "'tis rock 'n' roll at 5 o'clock, the dogs' bone: _x_ a''b",
    "10,000 x² ½ ４２ 5\u212a ﬁne",
    "日本語 한국어 \u1112\u1161\u11ab हिन्दी",
    "I ❤️ tea 👍🏽 co\u00adop x\u0323\u0302y",
)


def golden_texts(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Give the texts a bundle proves itself with.

    Neutral sentences of ours, so that no user's text travels in a bundle unasked. They hold what a
    port gets wrong first: lower case beyond ASCII (İ, ẞ, the final sigma), both apostrophes, inside
    words and at their ends, accents composed, composable and not, digits that are not 0 to 9,
    underscores, scripts without capitals or spaces or with vowels that are marks, emoji, nothing;
    and a text that is cut.

    Args:
        vocabulary: of the bundle.

    Returns:
        The texts.
    """
    return (*_SENTENCES, "the first " + "a " * vocabulary.max_tokens + "last")


def first_manifest(
    folder: Path, recipe: Recipe, facts: dict[str, Any], metrics: dict[str, Any]
) -> dict[str, Any]:
    """Say what is known before the device has run the model.

    Args:
        folder: holds `model.tflite` and `vocab.json`.
        recipe: the recipe used.
        facts: what `convert_run` returned, and the model's `oldest_runtime`.
        metrics: the run's `metrics.json`.

    Returns:
        A manifest the runtime loads; no time and no path in it, so the same run gives the same.
    """
    configuration = metrics["configuration"]
    files = {
        name: describe_file((folder / name).read_bytes()) for name in (MODEL_FILE, VOCABULARY_FILE)
    }
    return {
        "format": BUNDLE_FORMAT,
        "recipe": recipe.name,
        "layout": facts["layout"],
        "words": facts["words"],
        "dimensions": facts["dimensions"],
        "architecture": configuration["architecture"],
        "oldest_runtime": facts["oldest_runtime"],
        "input": {"dtype": "int32", "length": facts["length"]},
        "output": {
            "dtype": facts["output_dtype"],
            "size": facts["outputs"],
            "activation": "sigmoid" if facts["outputs"] == 1 else "softmax",
        },
        "trained": {
            "corpus": metrics["corpus"],
            "glove": configuration["glove"],
            "seed": configuration["seed"],
            "versions": metrics["versions"],
        },
        "files": files,
    }


def add_measurements(
    manifest: dict[str, Any],
    vocabulary: Vocabulary,
    fidelity: dict[str, Fidelity],
    goldens: Scores,
    interpreter: str,
) -> dict[str, Any]:
    """Add what the device computed.

    Args:
        manifest: the first manifest.
        vocabulary: the bundle's.
        fidelity: for `dev` and `test`.
        goldens: float32 [golden texts, classes], from the device.
        interpreter: name and version of the interpreter that computed it all.

    Returns:
        The whole manifest.
    """
    measured = {
        name: {key: round(value, 6) for key, value in asdict(each).items()}
        for name, each in fidelity.items()
    }
    entries = golden_entries(vocabulary, goldens)
    return {**manifest, "interpreter": interpreter, "accuracy": measured, "goldens": entries}


def add_abstention(
    manifest: dict[str, Any], abstention: Abstention, answered: dict[str, Answered]
) -> dict[str, Any]:
    """Add which answers to rely on, and what that leaves of dev and test text."""
    left = {
        name: {key: round(value, 6) for key, value in asdict(each).items()}
        for name, each in answered.items()
    }
    return {**manifest, "abstention": {**asdict(abstention), **left}}


def golden_entries(vocabulary: Vocabulary, scores: Scores) -> list[dict[str, Any]]:
    """Say what the device makes of the golden texts.

    Args:
        vocabulary: the bundle's.
        scores: float32 [golden texts, classes], from the device.

    Returns:
        Text, tokens, ids, whether it was cut, and probabilities of each.
    """
    entries = []
    for text, probabilities in zip(golden_texts(vocabulary), scores.tolist()):
        encoded = vocabulary.encode(text)
        tokens = tokenize_start(text, vocabulary.max_tokens)
        entries.append(
            {
                "text": text,
                "tokens": tokens,
                "ids": encoded.ids,
                "truncated": encoded.truncated,
                "probabilities": [round(value, 6) for value in probabilities],
            }
        )
    return entries


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json`, without a byte to spare: it travels to the device."""
    content = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
    (folder / MANIFEST_FILE).write_text(content + "\n", "utf-8")
