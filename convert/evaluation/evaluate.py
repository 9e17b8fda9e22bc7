"""Measures a bundle on labelled text with the device's interpreter."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from glovelite.data.labelled_text import TextSource
from glovelite.data.output_folder import reserve_output_folder
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.files.text_lines import source_name

from ..verify.device import predict_on_device
from ..verify.labelled_texts import read_labelled
from .evaluation import Evaluation, evaluate
from .folder import EVALUATION_FILE, EVALUATION_FILES, write_evaluation


def evaluate_bundle(
    path: PathLike,
    data: TextSource,
    out: PathLike | None = None,
    *,
    skip_bad_rows: bool = False,
    overwrite: bool = False,
) -> Evaluation:
    """Classify labelled text with a bundle on the device's interpreter, and score the answers.

    Args:
        path: the bundle.
        data: labelled text.
        out: folder to write with the evaluation as JSON, a picture and all errors as CSV, or None.
        skip_bad_rows: skip rows that cannot be used, with a warning.
        overwrite: replace an existing folder.

    Raises:
        BundleError: the bundle is missing, damaged or too new.
        DataError: the labelled text cannot be read, or has a label that the bundle lacks.
        DeviceError: the interpreter rejects the model.
        OutputError: the folder exists or cannot be written.
    """
    reserved = (
        nullcontext()
        if out is None
        else reserve_output_folder(Path(out), overwrite, EVALUATION_FILE, EVALUATION_FILES)
    )
    with reserved as target:
        bundle = read_bundle(path)
        labels, multi_label = bundle.vocabulary.labels, bundle.vocabulary.multi_label
        texts = read_labelled(data, labels, skip_bad_rows, multi_label)
        predictions = predict_on_device(Path(path), texts.texts)
        evaluation = evaluate(bundle, source_name(data.path), texts, predictions)
        if target is not None:
            write_evaluation(target, evaluation, overwrite)
    return evaluation
