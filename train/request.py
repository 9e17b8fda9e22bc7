"""What a user asks a training run for, besides its options."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Union

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
SECONDS = Range(1, 10_000_000, float)
MAX_BYTES = Range(10_000)  # below this, manifest and vocabulary leave nothing for a model
WORKERS = Range(1, 10_000)
#: Numbers of a search that may be None.
AUTOTUNE_RANGES = {"max_bytes": MAX_BYTES, "max_trials": Range(1, 100_000), "workers": WORKERS}
#: The options that are searched, unless the user fixes them.
SEARCHED = (
    "learning_rate",
    "epochs",
    "filters",
    "kernel_sizes",
    "dropout",
    "word_dropout",
    "adapter",
    "wide",
    "balanced",
)


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
class Autotune(ShortRepr):
    """A search for training options.

    Attributes:
        seconds: time for the search and the final training together.
        max_bytes: size of the bundle that will be exported; options whose model would take more
            than half of it without its words are not tried. None for any size.
        fixed: names of options that keep the value they have; the others of `SEARCHED` are
            searched.
        max_trials: maximum number of trials, even if time is left; None for any number.
        address: of a Ray cluster that runs the trials, such as `auto`; `local` starts Ray on the
            cores of this machine; None runs one trial after the other in this process.
        workers: number of trials that run at the same time on Ray; None for one a core.

    Raises:
        OptionsError: a number is out of range, a name is not that of a searched option, or there
            are workers without an address.

    Example:
        >>> search = Autotune(600, max_bytes=500_000, fixed=("kernel_sizes",))
        >>> train_classifier(texts, labels, "runs/mine", autotune=search)
    """

    seconds: float
    max_bytes: int | None = None
    fixed: Collection[str] = ()
    max_trials: int | None = None
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse invalid numbers and names."""
        SECONDS.check("autotune: seconds", self.seconds)
        for name, numbers in AUTOTUNE_RANGES.items():
            if (number := getattr(self, name)) is not None:
                numbers.check(f"autotune: {name}", number)
        if self.workers is not None and self.address is None:
            raise OptionsError("autotune: workers run on Ray: give an address too, such as local")
        if unknown := sorted(set(self.fixed) - set(SEARCHED)):
            raise OptionsError(
                f"autotune: fixed: expected some of {', '.join(SEARCHED)}, found {unknown[0]!r}"
            )
        if set(self.fixed) == set(SEARCHED):
            raise OptionsError("autotune: all options are fixed: leave one of them to the search")

    def identify(self) -> dict[str, Any]:
        """Return what the trials depend on, as plain JSON types; not how many run, or where."""
        return {
            "configuration.max_size": self.max_bytes,
            "configuration.fixed": sorted(self.fixed),
        }


#: What Python callers may give: a search, or its time, in seconds if it is a number.
AutotuneLike = Union[Autotune, timedelta, float]


def make_autotune(given: AutotuneLike | None) -> Autotune | None:
    """Return a search from its time, or as it is."""
    if given is None or isinstance(given, Autotune):
        return given
    return Autotune(given.total_seconds() if isinstance(given, timedelta) else given)


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
        autotune: search for the options that suit the text best; None trains with those given.
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
    autotune: Autotune | None = None
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
        search, compare = self.autotune is not None, self.compare_scratch
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
        for given, name in ((folds, asked), (search, "--autotune")):
            yield (
                given and self_training,
                f"{name} and --self-training: texts would be scored by models that learned from "
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
        yield (
            folds and search,
            f"--autotune and {asked}: folds would score options that were chosen on their own "
            "text: search first, then cross-validate with --config",
        )
        yield (
            init and search,
            "--autotune and --init: the weights of the initial run fit its own options: give one "
            "of them",
        )
        yield (
            compare and search,
            "--autotune and --compare-scratch: search first, then compare with --config",
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
