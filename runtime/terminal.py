"""What a person sees of an answer: a line, on a terminal with colour and a bar for each class."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from .prediction import Prediction
from .tokenizer import PATTERN, normalize
from .vocabulary import CONTROLS

if TYPE_CHECKING:
    from .explain import Explanation

BAR = 10  # characters of a probability of 1
EIGHTHS = " ▏▎▍▌▋▊▉"
SHOWN = 100  # characters of a text
MOST_WORDS = 8  # of an explanation, where the text cannot be marked
BOLD, DIM, GREEN, RED, PLAIN = "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"
# Where a word of the text as written begins and ends; the tokenizer's own pattern but for the
# typographic apostrophe, which it has not made plain yet.
_find_words = re.compile(PATTERN.replace("'", "['’]")).finditer


def wants_colour(stream: TextIO | None) -> bool:
    """Say whether to colour what is written to a stream.

    Only on a terminal that is not a dumb one, and never where the environment variable `NO_COLOR`
    is set (no-color.org).
    """
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


@dataclass(frozen=True)
class Screen:
    """How answers are shown.

    Attributes:
        top: how many classes, the most probable first.
        abstain: whether an answer abstained from is a `?`.
        colour: whether to show colours and bars.
    """

    top: int
    abstain: bool
    colour: bool

    def show(
        self,
        text: str,
        prediction: Prediction,
        taken: float | None = None,
        explanation: Explanation | None = None,
    ) -> str:
        """Show an answer.

        Args:
            text: the text.
            prediction: its answer.
            taken: µs it took, to be shown too.
            explanation: which words decided, to be shown too.

        Returns:
            A line, with an explanation two: `"positive   98.0%  A moving film."`.
        """
        width = max(map(len, prediction.probabilities))
        if self.abstain and prediction.abstained:
            classes = [("?", prediction.probability)]
        else:
            classes = prediction.top(self.top)
        parts = [self._class(label.ljust(width), value) for label, value in classes]
        shown = one_line(text)
        shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
        cut = self._in("  (cut)", DIM) if prediction.truncated else ""
        few = self._in("  (few known words)", DIM) if prediction.unfamiliar else ""
        time_ = "" if taken is None else f"{taken:7.0f} µs  "
        line = f"{time_}{'  '.join(parts)}  {shown}{cut}{few}"
        return line if explanation is None else f"{line}\n{self._explain(text, explanation)}"

    def _class(self, label: str, value: float) -> str:
        if not self.colour:
            return f"{label}  {value:6.1%}"
        return f"{self._in(label, BOLD)}  {value:6.1%} {self._in(draw_bar(value), GREEN)}"

    def _explain(self, text: str, explanation: Explanation) -> str:
        how = "" if explanation.method == "exact" else f" by {explanation.method}"
        words = sorted(zip(explanation.tokens, explanation.parts), key=lambda word: -abs(word[1]))
        listed = "  ".join(f"{part:+.2f} {token}" for token, part in words[:MOST_WORDS])
        more = f"  … {len(words) - MOST_WORDS} words more" if len(words) > MOST_WORDS else ""
        marked = f"\n    {mark_words(text, explanation)}" if self.colour else ""
        return (
            f"    {explanation.label}{how}:  {listed}{more}  {explanation.rest:+.2f} rest{marked}"
        )

    def _in(self, text: str, colour: str) -> str:
        return f"{colour}{text}{PLAIN}" if self.colour else text


def one_line(text: str) -> str:
    """Give a text in one line, what a terminal would obey replaced by U+FFFD."""
    return _safe(" ".join(text.split()))


def _safe(text: str) -> str:
    return CONTROLS.sub(lambda found: " " if found[0].isspace() else "\ufffd", text)


def draw_bar(share: float) -> str:
    """Draw a share as a bar: 0.25 → `"██▌       "`."""
    eighths = round(min(max(share, 0.0), 1.0) * BAR * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[part] if part else "")).ljust(BAR)


def mark_words(text: str, explanation: Explanation) -> str:
    """Colour the words of a text: green for the label, red against it, bold where they decided.

    Args:
        text: the text as written.
        explanation: what its words add.

    Returns:
        The text looked at, in one line, with the terminal's colours; as it is where its words as
        written are not the tokens one by one (accents composed of two characters).
    """
    words = list(_find_words(text))[: len(explanation.tokens)]
    if [normalize(word[0]) for word in words] != list(explanation.tokens) or not words:
        return one_line(text)
    most = max(map(abs, explanation.parts))
    pieces, end = [], 0
    for word, part in zip(words, explanation.parts):
        colour = (GREEN if part > 0 else RED) + (BOLD if abs(part) >= most / 2 else "")
        decided = abs(part) >= most / 10 and most
        pieces += [_safe(text[end : word.start()])]
        pieces += [f"{colour}{word[0]}{PLAIN}" if decided else word[0]]
        end = word.end()
    unread = next(_find_words(text, end), None)
    pieces += [_safe(text[end : unread.start() if unread else None])]
    return " ".join("".join(pieces).split())
