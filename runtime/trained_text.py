"""What a model's training read as the text of a record, so that the same is read elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

JOINER = "\n"  # between the text columns of a record
HTML_IS_REMOVED = "HTML is removed from the texts, as in training"
MAX_COLUMNS, MAX_NAME = 100, 1_000  # of a manifest: number of columns, characters of a name


@dataclass(frozen=True)
class TrainedText:
    """How the texts of a training were read.

    Attributes:
        columns: names of the text columns, joined in this order by `JOINER`; empty if they have no
            names, as in a folder of texts, or if that was not recorded.
        strip_html: whether HTML was removed from the texts.
    """

    columns: tuple[str, ...] = ()
    strip_html: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the entry of `metrics.json` and `manifest.json`."""
        return {
            "columns": list(self.columns),
            "joined_by": JOINER,
            "strip_html": self.strip_html,
        }

    def clean(self, text: str) -> str:
        """Return a text as training read it: without HTML, if it was removed there."""
        if not self.strip_html:
            return text
        from .text.html_text import strip_html  # imported late for a fast cold start

        return strip_html(text)

    def holds(self, fields: Mapping[str, object]) -> bool:
        """Return whether an object has strings in all text columns, one or more."""
        return bool(self.columns) and all(isinstance(fields.get(n), str) for n in self.columns)

    def read(self, fields: Mapping[str, object]) -> str:
        """Return the text of an object that `holds` accepts."""
        return self.clean(join_columns(str(fields[name]) for name in self.columns))


UNRECORDED = TrainedText()


def join_columns(texts: Iterable[str]) -> str:
    """Return the text of several columns: by `JOINER`, without the empty ones."""
    return JOINER.join(filter(None, map(str.strip, texts)))


def parse_trained_text(value: object) -> TrainedText:
    """Parse an entry that `as_json` returned; None is that of an older version.

    Raises:
        ValueError: it is anything else; the message says what was expected.
    """
    if value is None:
        return UNRECORDED
    if not isinstance(value, dict):
        raise ValueError("'text' is not an object")
    columns, strip_html = value.get("columns"), value.get("strip_html")
    if not isinstance(columns, list) or not all(map(_is_name, columns)):
        raise ValueError("'text.columns' is not a list of names")
    if len(columns) > MAX_COLUMNS or len({*columns}) < len(columns):
        raise ValueError(f"'text.columns': expected at most {MAX_COLUMNS} different names")
    if value.get("joined_by") != JOINER:
        raise ValueError(f"'text.joined_by': expected {JOINER!r}: update glovelite")
    if not isinstance(strip_html, bool):
        raise ValueError("'text.strip_html' is not true or false")
    return TrainedText(tuple(columns), strip_html)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME
