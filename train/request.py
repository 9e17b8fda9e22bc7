"""What a user asks a training run for, besides its options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glovelite.data.labelled_text import TextSource
from glovelite.data.short_repr import ShortRepr
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.errors import OptionsError

from .options import Range

FOLDS = Range(2, 100)
MIN_TEXTS = Range(0)
DEFAULT_WEIGHT = 1.0  # of an unlabelled text in the loss
TEACHER_WEIGHT = Range(1e-3, 1e3, float)
TEACHER_TEMPERATURE = Range(0.1, 10, float)
LABEL_ERROR_FOLDS = 5  # if label errors are to be found and no folds are given


@dataclass(frozen=True, repr=False)
class UnlabelledTexts(ShortRepr):
    """Where unlabelled text and a teacher's scores of it are.

    Attributes:
        path: the file of the texts.
        teacher: the file of the scores; None if they are in the file of the texts.
        weight: of a text in the loss; a text with given labels has 1.
        temperature: of the teacher; above 1 makes its distributions less certain.
        text_column: names or numbers of the text columns; None guesses.
        encoding: of text files; None detects it.
        header: whether the first row of a table names its columns; None guesses.
        self_training: whether models of the labelled text are the teacher; with `teacher`, the
            mean of both is.
    """

    path: str
    teacher: str | None = None
    weight: float = DEFAULT_WEIGHT
    temperature: float = 1.0
    text_column: tuple[str, ...] = ()
    encoding: str | None = None
    header: bool | None = None
    self_training: bool = False

    @property
    def has_scores(self) -> bool:
        """Whether a teacher has scored the texts."""
        return self.teacher is not None or not self.self_training


@dataclass(frozen=True, repr=False)
class TrainingRequest(ShortRepr):
    """What to train on and where to write, besides the options.

    Attributes:
        sources: the training text; labels are matched by name, and groups by value.
        dev: dev text, if separate; otherwise a tenth of the sources.
        test: test text, if separate; otherwise a tenth of the sources.
        vectors: name of known vectors, or path of a file of vectors; None takes those of the
            initial run, or `DEFAULT_VECTORS`.
        skip_bad_rows: skip rows that cannot be used, with a warning.
        min_texts: drop labels that have fewer distinct training texts; 0 drops none.
        compare_scratch: also train without GloVe, at several sizes, and plot the difference.
        folds: also cross-validate with this many folds; 0 for none. Then no test text is drawn from
            the sources: every text is classified once by a model that was trained without it.
        init: folder of a finished run whose weights training starts from; None for none.
        find_label_errors: list the texts of the sources whose labels are probably wrong. It takes
            the folds, or `LABEL_ERROR_FOLDS` if none are given.
        unlabelled: text with a teacher's labels, to train on besides; None for none.
        corrections: a list of label errors with the right labels in its column `correct`; None
            trains with the labels as they are.
        draw_test: draw test text if none is given.

    Raises:
        OptionsError: the wanted ways of splitting the text contradict each other.
    """

    sources: tuple[TextSource, ...]
    out: PathLike
    dev: PathLike | None = None
    test: PathLike | None = None
    vectors: PathLike | None = None
    skip_bad_rows: bool = False
    compare_scratch: bool = False
    overwrite: bool = False
    folds: int = 0
    init: PathLike | None = None
    min_texts: int = 0
    find_label_errors: bool = False
    unlabelled: UnlabelledTexts | None = None
    corrections: PathLike | None = None
    draw_test: bool = True

    def __post_init__(self) -> None:
        """Refuse invalid numbers and contradictory ways of splitting; choose the folds."""
        MIN_TEXTS.check("min_texts", self.min_texts)
        if self.unlabelled is not None:
            TEACHER_WEIGHT.check("teacher_weight", self.unlabelled.weight)
            TEACHER_TEMPERATURE.check("teacher_temperature", self.unlabelled.temperature)
        _check_columns(self.sources, separate=self.dev is not None and self.test is not None)
        asked = "--folds"
        if self.find_label_errors and not self.folds:
            asked = "--find-label-errors"
            object.__setattr__(self, "folds", LABEL_ERROR_FOLDS)
        if self.folds:
            FOLDS.check("--folds", self.folds)
        for contradicts, message in self._find_contradictions(asked):
            if contradicts:
                raise OptionsError(message)

    def _find_contradictions(self, asked: str) -> Iterator[tuple[bool, str]]:
        """Yield whether two options contradict each other, and the message; `asked` for folds."""
        folds, init = bool(self.folds), self.init is not None
        compare = self.compare_scratch
        self_training = self.unlabelled is not None and self.unlabelled.self_training
        yield (
            folds and any(source.time_column for source in self.sources),
            f"{asked} and --time-column: folds would train on text newer than the text they are "
            "tested on: give one of them",
        )
        yield (
            folds and self.dev is not None,
            f"{asked} draws dev text from the other folds: leave out --dev",
        )
        yield (
            folds and compare and self.test is None,
            f"--compare-scratch with {asked} needs --test text",
        )
        yield (
            folds and self_training,
            f"{asked} and --self-training: texts would be scored by models that learned from "
            "them: give one of them",
        )
        yield (
            folds and init,
            f"{asked} and --init: the initial run was trained on text of every fold: give one of "
            "them",
        )
        yield (
            compare and init,
            "--compare-scratch and --init: the comparison starts from random weights: give one of "
            "them",
        )


def _check_columns(sources: Sequence[TextSource], separate: bool) -> None:
    """Raise OptionsError if group or time columns contradict each other or have nothing to do."""
    columns = {
        "group": [source.group_column for source in sources],
        "time": [source.time_column for source in sources],
    }
    chosen = [kind for kind, names in columns.items() if any(names)]
    if len(chosen) > 1:
        raise OptionsError(
            "--group-column and --time-column split the text in different ways: give one of them"
        )
    for kind in chosen:
        for source, name in zip(sources, columns[kind]):
            if name is None:
                raise OptionsError(
                    f"{source.path}: expected a {kind} column as for the other sources, found none"
                )
        if separate:
            raise OptionsError(
                f"--{kind}-column has nothing to split where --dev and --test are given"
            )
