"""What a training run depends on: the first part of `metrics.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from glovelite.data.run_files import RUN_FORMAT
from glovelite.runtime.trained_text import TrainedText

from .data.corrections import CorrectionSummary
from .fitting.initial_run import InitialSummary
from .options import TrainingOptions
from .vectors.embedding_table import Coverage


@dataclass(frozen=True)
class CorpusSummary:
    """What `metrics.json` records about the corpus.

    Attributes:
        name: the names of its sources, without paths.
        sources: source -> number of its texts in all parts, separate dev and test text included.
        texts: number of texts in all parts.
        duplicates: texts that are copies of an earlier one.
        fingerprints: part -> SHA-256 of its texts and labels; `folds` is of all folds.
    """

    name: str
    sources: dict[str, int]
    texts: int
    duplicates: int
    fingerprints: dict[str, str]


@dataclass(frozen=True)
class SplitSummary:
    """What `metrics.json` records about how the text was split.

    Attributes:
        by: `random`, `group` or `time`; `given` if nothing was drawn.
        column: the group or time column; None if there is none.
        folds: number of folds of the cross-validation; 0 for none.
    """

    by: str
    column: str | None
    folds: int


@dataclass(frozen=True)
class TeacherSummary:
    """What `metrics.json` records about unlabelled text.

    Attributes:
        texts: number of unlabelled texts in training.
        weight: of an unlabelled text in the loss.
        temperature: of the teacher.
        self_training: whether models of the labelled text labelled it, alone or besides a teacher.
    """

    texts: int
    weight: float
    temperature: float
    self_training: bool


@dataclass(frozen=True)
class RunDescription:
    """Everything that a training run depends on, known before it starts.

    Attributes:
        glove: what `--vectors` takes for the same vectors.
        vectors: the same and where they came from.
        vectors_sha256: of what was read of them; None if that is not known.
        text: how the text was read.
    """

    options: TrainingOptions
    glove: str
    vectors: str
    vectors_sha256: str | None
    versions: dict[str, str]
    split: SplitSummary
    corpus: CorpusSummary
    coverage: Coverage
    text: TrainedText
    initial_run: InitialSummary | None = None
    teacher: TeacherSummary | None = None
    corrections: CorrectionSummary | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the first part of `metrics.json` as plain JSON types."""
        content = asdict(self)
        configuration = {**content.pop("options"), "glove": content.pop("glove")}
        content["text"] = self.text.as_json()
        content = {"format": RUN_FORMAT, "configuration": configuration, **content}
        return {name: value for name, value in content.items() if value is not None}
