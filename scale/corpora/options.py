"""How a corpus folder is made."""

from __future__ import annotations

from dataclasses import dataclass

from glovelite.runtime.errors import OptionsError

HELD_OUT_TEXTS = 20_000  # of dev and of test text: more make a score hardly more certain


@dataclass(frozen=True)
class CorpusOptions:
    """How a corpus folder is made.

    Attributes:
        seed: of the split.
        dev_share: probability of a text to be dev text, 0 to 0.5; None takes a tenth, at most about
            `HELD_OUT_TEXTS` texts.
        test_share: the same for test text.
        rows_per_file: approximate number of rows of the input for one file of each part.
        punctuation: count `!`, `?` and emoji as tokens too, as training with `--punctuation` does.
        address: of a Ray cluster, such as `auto`; `local` starts Ray on all cores of this machine;
            None does everything in this process.
        workers: tasks at the same time on Ray; None for one a core.

    Raises:
        OptionsError: a share is out of range.
    """

    seed: int = 0
    dev_share: float | None = None
    test_share: float | None = None
    rows_per_file: int = 200_000
    punctuation: bool = False
    skip_bad_rows: bool = False
    address: str | None = None
    workers: int | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Refuse shares that leave too little training text."""
        for name, share in (("dev_share", self.dev_share), ("test_share", self.test_share)):
            if share is not None and not 0 <= share <= 0.5:
                raise OptionsError(f"{name}: expected a number from 0 to 0.5, found {share}")
