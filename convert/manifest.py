"""Writes `manifest.json`, which the runtime checks before it uses a bundle, and `MODEL_CARD.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from glovelite.data.labels import shorten_list
from glovelite.evaluation.scores import MAX_LISTED_CLASSES
from glovelite.runtime.aliases import Floats
from glovelite.runtime.bundle import (
    DEVICE_FILES,
    HASHED_BUNDLE,
    HASHED_WORDS_FILE,
    MANIFEST_FILE,
    MODEL_CARD_FILE,
    MODEL_FILE,
    MULTI_LABEL_BUNDLE,
    NGRAM_BUNDLE,
    NGRAMS_FILE,
    PLAIN_BUNDLE,
    VOCABULARY_FILE,
    Bundle,
    describe_file,
    read_bundle,
)
from glovelite.runtime.decision import NEVER_GIVEN
from glovelite.runtime.text.vocabulary import Vocabulary
from glovelite.runtime.trained_text import TrainedText

from .conversion import ConvertedModel
from .options import RECIPES
from .run_folder import RunFolder
from .verify.abstention import Abstention, AnsweredShare, show_set
from .verify.fidelity import Fidelity

GOLDEN_HASHED_WORDS = 12  # in the golden text of hashed words
GOLDEN_MISSPELT_WORDS, GOLDEN_LETTERS = 12, 6  # in the golden text of misspelt words
MAX_GOLDEN_VALUES, MIN_GOLDEN_SENTENCES = 3_000, 3  # probabilities in all golden sentences
DECIMALS = 6  # of accuracies and probabilities
_GOLDEN_SENTENCES = (
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
#: For vocabularies with punctuation: marks beside apostrophes, repeated, at the ends of a text, and
#: between skin tones, gender signs, joiners and variation selectors.
_GOLDEN_PUNCTUATION = (
    "?Who's 'there?!' Ça va!!… 👩🏽\u200d🌾❤\ufe0f⭐\ufe0f🤷🏿\u200d♀\ufe0fno "
    "1\ufe0f\u20e3 🇫🇷 ¿x? ！ ❶ !"
)


@dataclass(frozen=True)
class Measurements:
    """Results of the device.

    Attributes:
        interpreter: name and version of its interpreter.
        fidelity: device against Keras, for `dev`, and for `test` if there is test text.
        goldens: the golden texts.
        golden_scores: float32 [golden texts, classes].
        abstention: the thresholds of a reliable prediction.
        answered: share of these sets above the threshold, and its accuracy.
        thresholds: threshold of each label of multi-label text, else None.
    """

    interpreter: str
    fidelity: dict[str, Fidelity]
    goldens: tuple[str, ...]
    golden_scores: Floats
    abstention: Abstention
    answered: dict[str, AnsweredShare]
    thresholds: tuple[float, ...] | None = None


def golden_texts(vocabulary: Vocabulary, hashed_tokens: Sequence[str]) -> tuple[str, ...]:
    """Return the texts of a bundle's self-test.

    They are neutral sentences of glovelite's own, so that no user's text is distributed in a
    bundle. They cover what ports get wrong: lower case beyond ASCII (İ, ẞ, the final sigma), both
    apostrophes inside words and at their ends, composed and decomposed accents, non-ASCII digits,
    underscores, scripts without case, without spaces or with combining vowels, emoji, no words, a
    text that is truncated, punctuation where it is tokens, some of the hashed words, and misspelt
    words where they are corrected. With many labels there are fewer sentences.
    """
    count = max(MIN_GOLDEN_SENTENCES, MAX_GOLDEN_VALUES // len(vocabulary.labels))
    texts = [*_GOLDEN_SENTENCES[:count], "the first " + "a " * vocabulary.max_tokens + "last"]
    if vocabulary.tokenizer.punctuation:
        texts.append(_GOLDEN_PUNCTUATION)
    step = -(-len(hashed_tokens) // GOLDEN_HASHED_WORDS) or 1
    if sampled := " ".join(hashed_tokens[::step]):
        texts.append(sampled)
    if vocabulary.spelling is not None:
        words = (word for word in vocabulary.tokens if len(word) == GOLDEN_LETTERS)
        misspelt = (word[0] + word[2] + word[1] + word[3:] for word in words)
        taken = filter(vocabulary.spelling.takes, misspelt)
        texts.append(" ".join(islice(taken, GOLDEN_MISSPELT_WORDS)))
    return tuple(texts)


def _golden_entries(
    vocabulary: Vocabulary, texts: Sequence[str], scores: Floats
) -> list[dict[str, Any]]:
    entries = []
    for text, probabilities in zip(texts, scores.tolist()):
        encoded = vocabulary.encode(text)
        entry: dict[str, Any] = {
            "text": text,
            "tokens": vocabulary.tokenize(text),
            "ids": encoded.ids,
            "truncated": encoded.truncated,
            "probabilities": [round(value, DECIMALS) for value in probabilities],
        }
        if vocabulary.familiarity is not None:
            entry["familiarity"] = round(encoded.familiarity, DECIMALS)
        entries.append(entry)
    return entries


def encode_manifest(
    model: ConvertedModel, run: RunFolder, measurements: Measurements | None = None
) -> bytes:
    """Return the content of `manifest.json`.

    It holds no time and no path, so the same run gives the same manifest.

    Args:
        model: the converted model.
        run: the run that was converted.
        measurements: results of the device; None gives a draft with which the device can load
            the bundle to compute it.
    """
    vocabulary, metrics = model.vocabulary, run.metrics
    files = _device_files(model, run)
    folds, multi_label = metrics.cross_validation, vocabulary.multi_label
    manifest: dict[str, Any] = {
        "format": _choose_format(run, vocabulary),
        "recipe": model.recipe,
        "tolerance": RECIPES[model.recipe].tolerance,
        "layout": model.layout,
        "words": len(run.vocabulary.tokens),
        "dimensions": model.dimensions,
        "architecture": metrics.architecture,
        "oldest_runtime": model.contents.oldest_runtime,
        "input": {"dtype": "int32", "length": model.length},
        "output": {
            "dtype": model.output_dtype,
            "size": model.outputs,
            "activation": "sigmoid" if multi_label or model.outputs == 1 else "softmax",
        },
        "trained": {
            "corpus": metrics.corpus,
            "glove": metrics.glove,
            "seed": metrics.seed,
            "versions": metrics.versions,
            **({} if folds is None else {"cross_validation": folds}),
        },
        "files": {name: describe_file(content) for name, content in files.items()},
    }
    if metrics.text is not None:
        manifest["text"] = metrics.text.as_json()
    if measurements is not None:
        if measurements.thresholds is not None:
            manifest["thresholds"] = dict(zip(vocabulary.labels, measurements.thresholds))
        scores = measurements.golden_scores
        manifest |= {
            "interpreter": measurements.interpreter,
            "accuracy": {name: _rounded(part) for name, part in measurements.fidelity.items()},
            "goldens": _golden_entries(vocabulary, measurements.goldens, scores),
            "abstention": {
                **measurements.abstention.as_json(),
                **{name: _rounded(part) for name, part in measurements.answered.items()},
            },
        }
    # Without spaces, because it is copied to the device.
    content = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
    return (content + "\n").encode("utf-8")


def _choose_format(run: RunFolder, vocabulary: Vocabulary) -> int:
    """Return the oldest format that has what the bundle needs, so that old runtimes read it."""
    if run.ngrams is not None:
        return NGRAM_BUNDLE
    if vocabulary.multi_label:
        return MULTI_LABEL_BUNDLE
    return PLAIN_BUNDLE if vocabulary.hashed is None else HASHED_BUNDLE


def write_bundle_files(
    folder: Path, model: ConvertedModel, run: RunFolder, measurements: Measurements | None = None
) -> None:
    """Write the files that a device needs; see `encode_manifest`."""
    files = _device_files(model, run)
    files[MANIFEST_FILE] = encode_manifest(model, run, measurements)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _device_files(model: ConvertedModel, run: RunFolder) -> dict[str, bytes]:
    """Return the files that a device needs besides the manifest: name -> content."""
    vocabulary = model.vocabulary
    files = {MODEL_FILE: model.flatbuffer, VOCABULARY_FILE: vocabulary.to_json().encode()}
    if vocabulary.hashed is not None:
        files[HASHED_WORDS_FILE] = vocabulary.hashed.to_bytes()
    if run.ngrams is not None:
        files[NGRAMS_FILE] = run.ngrams.to_bytes()
    return files


def bundle_bytes(folder: Path) -> dict[str, int]:
    """Return the size of each file that a device needs."""
    paths = [folder / name for name in DEVICE_FILES]
    return {path.name: path.stat().st_size for path in paths if path.is_file()}


def _rounded(measured: Fidelity | AnsweredShare) -> dict[str, float]:
    return {key: round(value, DECIMALS) for key, value in asdict(measured).items()}


def write_model_card(folder: Path, section: str = "") -> None:
    """Write `MODEL_CARD.md` into a bundle, with an additional section in Markdown."""
    bundle = read_bundle(folder)
    text = _model_card(bundle, bundle_bytes(folder), section)
    (folder / MODEL_CARD_FILE).write_text(text, "utf-8")


def _model_card(bundle: Bundle, sizes: dict[str, int], section: str) -> str:
    manifest, vocabulary = bundle.manifest, bundle.vocabulary
    corpus = manifest["trained"]["corpus"]
    texts = f" ({corpus['texts']:,} texts)" if corpus["texts"] else ""  # of an import, unknown
    rows = [*sizes.items(), ("total", sum(sizes.values()))]
    size_table = "\n".join(f"| {name} | {count:,} |" for name, count in rows)
    accuracy_table = "\n".join(
        f"| {name} | {scores['texts']:,} | {scores['keras']:.2%} | {scores['device']:.2%} "
        f"| {scores['agreement']:.2%} | {scores['largest_difference']:.4f} |"
        for name, scores in manifest["accuracy"].items()
    )
    return f"""\
# Text classifier: {shorten_list(vocabulary.labels)}

Trained on {corpus["name"]}{texts} with frozen vectors
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
{_describe_text(bundle.text)}
## Limits

- {_describe_words(vocabulary, manifest["words"])}
- The scores hold for text like the training text. Measure on other text before you rely on it.
- So do the probabilities.
"""


def _describe_text(text: TrainedText) -> str:
    """Return what training read as the text, and so do the commands."""
    lines = []
    if text.columns:
        columns = " + ".join(f"`{name}`" for name in text.columns)
        joined = ", joined by a line break" if len(text.columns) > 1 else ""
        lines.append(f"Of tables and objects, the text is in {columns}{joined}.")
    if text.strip_html:
        lines.append("HTML is removed from the texts.")
    return "".join(f"{line}\n" for line in lines)


def _describe_words(vocabulary: Vocabulary, trained: int) -> str:
    listed, hashed = len(vocabulary.tokens), vocabulary.hashed_count
    more = f" and hashes {hashed:,} more" if hashed else ""
    of = f", of {trained:,} in training" if listed < trained else ""
    shared = " A hashed word is read as the most similar listed word." if hashed else ""
    corrected = ""
    if vocabulary.spelling is not None:
        corrected = (
            f"\n  An unknown word of {vocabulary.spelling.shortest} letters or more is read as the "
            "known word\n  that it misspells, if one letter is wrong."
        )
    return (
        f"The vocabulary lists {listed:,} words{more}{of};\n  all other words are unknown."
        f"{shared}{corrected}"
    )


def _describe_thresholds(manifest: dict[str, Any]) -> str:
    """Return the table of the labels' thresholds, for multi-label text."""
    thresholds = manifest.get("thresholds")
    if thresholds is None:
        return ""
    rows = {
        label: "never given" if value >= NEVER_GIVEN else f"{value:.1%}"
        for label, value in thresholds.items()
    }
    return f"""
A text gets each label whose probability reaches the label's threshold, possibly none.

{_label_table("threshold", rows)}
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
    evidence, accuracy = abstention["evidence"], abstention["accuracy"]
    texts, wanted = f"{evidence['texts']:,} {show_set(evidence['set'])} texts", abstention["wanted"]
    if accuracy is None:
        return (
            f"`--abstain` relies on no prediction: {texts} do not show an accuracy of\n"
            f"{wanted:.1%} at any confidence, but {evidence['best_accuracy']:.1%} at most."
        )
    labels = abstention.get("labels", {})
    shown = f"{accuracy:.1%} accuracy" + (f", not the wanted {wanted:.1%}" * (accuracy < wanted))
    if not any(labels.values() or (abstention["probability"],)):
        return (
            f"`--abstain` abstains only on texts {few_known}:\n{texts} show {shown}, of all others."
        )
    answered = " and ".join(
        f"{abstention[name]['share']:.1%} of {show_set(name)} "
        f"({abstention[name]['accuracy']:.1%} correct)"
        for name in ("out_of_fold", "dev", "test")
        if name in abstention
    )
    threshold = "the threshold of their label" if labels else f"{abstention['probability']:.1%}"
    return (
        f"Predictions with a confidence below {threshold}, and those on texts {few_known}, are\n"
        f"marked as abstained (`--abstain`). That keeps {answered}.\n"
        f"{texts} show {shown}, of the predictions that are kept.\n"
        "The confidence is the probability, lowered for texts whose words are unlike those of the\n"
        f"training text.{_describe_label_thresholds(abstention) if labels else ''}"
    )


def _describe_label_thresholds(abstention: dict[str, Any]) -> str:
    """Return the table of the confidence from which each label is relied on."""
    accuracies = abstention["label_accuracies"]
    rows = {
        label: "always abstained"
        if accuracies[label] is None
        else f"{threshold:.1%} ({accuracies[label]:.1%})"
        for label, threshold in abstention["labels"].items()
    }
    return f"\n\n{_label_table('threshold (accuracy shown)', rows)}"


def _label_table(column: str, rows: Mapping[str, str]) -> str:
    """Return a table with a row for each label; of many labels, only the first ones."""
    shown = [f"| {label} | {rows[label]} |" for label in [*rows][:MAX_LISTED_CLASSES]]
    hidden = len(rows) - len(shown)
    more = f"\n\n`{MANIFEST_FILE}` has those of {hidden:,} more labels." if hidden else ""
    return "\n".join((f"| label | {column} |", "|---|---|", *shown)) + more
