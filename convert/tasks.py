"""The functions that the child process runs.

They import TensorFlow when they run, so that the parent can name them without it.
"""

from __future__ import annotations

from pathlib import Path

from runtime.aliases import Floats

from .conversion import CandidateRequest, ConversionRequest, ConversionResult, ConvertedModel


def convert_run(request: ConversionRequest) -> ConversionResult:
    """Convert a run's model and score its texts with Keras."""
    from .tflite import tf_worker

    return tf_worker.convert_run(request)


def convert_candidates(request: CandidateRequest) -> tuple[ConvertedModel, ...]:
    """Convert a run's model to several sizes."""
    from .search import tf_candidates

    return tf_candidates.convert_candidates(request)


def score_dev(run: Path) -> Floats:
    """Score a run's dev text with Keras, float32 [texts, classes]."""
    from .tflite import tf_worker

    return tf_worker.score_dev(run)
