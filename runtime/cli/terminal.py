"""Formats predictions for people: one line each, with color and bars on a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, TextIO

from ..classifier import Prediction
from ..text.pieces import WORD_START
from ..text.tokenizer import WORDS, Tokenizer
from ..text.vocabulary import CONTROL_CHARACTERS

if TYPE_CHECKING:
    from ..explain import Explanation

BAR_WIDTH = 10  # characters of a probability of 1
PARTIAL_BLOCKS = " ▏▎▍▌▋▊▉"
MAX_TEXT_CHARACTERS = 100
MAX_LISTED_WORDS = 8  # of an explanation
NO_LABELS = "(none)"
BOLD, DIM, GREEN, RED, RESET = "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"


def supports_color(stream: TextIO | None) -> bool:
    """Return whether to color what is written to a stream.

    True on a terminal that is not dumb, unless the environment variable `NO_COLOR` is set
    (no-color.org).
    """
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


@dataclass(frozen=True)
class TerminalFormatter:
    """How predictions are shown.

    Attributes:
        top: how many labels with their probabilities, most probable first; None shows one, or for
            a multi-label bundle only the labels of the text.
        abstain: whether to show `?` where the classifier abstains.
        color: whether to use colors and bars.
    """

    top: int | None
    abstain: bool
    color: bool
    multi_label: bool = False
    tokenizer: Tokenizer = WORDS

    def format(
        self,
        text: str,
        prediction: Prediction,
        microseconds: float | None = None,
        explanations: Sequence[Explanation] = (),
    ) -> str:
        """Format a prediction as one line, each explanation as one or two more.

        Returns:
            Such as `"positive   98.0%  A moving film."`, multi-label `"joy, love  What a day!"`.
        """
        columns = self._format_labels(prediction)
        shown = one_line(text)
        if len(shown) > MAX_TEXT_CHARACTERS:
            shown = shown[: MAX_TEXT_CHARACTERS - 1] + "…"
        truncated = self._colored("  (truncated)", DIM) if prediction.truncated else ""
        unfamiliar = self._colored("  (few known words)", DIM) if prediction.unfamiliar else ""
        time = "" if microseconds is None else f"{microseconds:7.0f} µs  "
        lines = [f"{time}{'  '.join(columns)}  {shown}{truncated}{unfamiliar}"]
        lines += [self._format_explanation(text, explanation) for explanation in explanations]
        return "\n".join(lines)

    def _format_labels(self, prediction: Prediction) -> list[str]:
        count = self.top or (0 if self.multi_label else 1)
        abstained = self.abstain and prediction.abstained
        shown = [] if abstained else prediction.top(count)
        if abstained and not self.multi_label:
            shown = [("?", prediction.probability)]
        width = max(map(len, prediction.probabilities))
        columns = [self._format_class(label.ljust(width), value) for label, value in shown]
        if self.multi_label:
            labels = "?" if abstained else ", ".join(prediction.labels) or NO_LABELS
            columns.insert(0, self._colored(labels, BOLD))
        return columns

    def _format_class(self, label: str, probability: float) -> str:
        if not self.color:
            return f"{label}  {probability:6.1%}"
        bar = self._colored(draw_bar(probability), GREEN)
        return f"{self._colored(label, BOLD)}  {probability:6.1%} {bar}"

    def _format_explanation(self, text: str, explanation: Explanation) -> str:
        method = "" if explanation.method == "exact" else f" by {explanation.method}"
        shown = [
            (token.removeprefix(WORD_START) or token)
            if stand_in is None
            else f"{token} (as {stand_in})"
            for token, stand_in in zip(explanation.tokens, explanation.stand_ins)
        ]
        words = sorted(zip(shown, explanation.parts), key=lambda word: -abs(word[1]))
        listed = "  ".join(f"{part:+.2f} {token}" for token, part in words[:MAX_LISTED_WORDS])
        hidden = len(words) - MAX_LISTED_WORDS
        more = f"  … {hidden} more words" if hidden > 0 else ""
        lines = [f"    {explanation.label}{method}:  {listed}{more}  {explanation.rest:+.2f} rest"]
        if self.color:
            lines.append(f"    {highlight_words(text, explanation, self.tokenizer)}")
        return "\n".join(lines)

    def _colored(self, text: str, color: str) -> str:
        return f"{color}{text}{RESET}" if self.color else text


def one_line(text: str) -> str:
    """Return text in one line without runs of spaces, as `replace_controls` does."""
    return replace_controls(" ".join(text.split()))


def replace_controls(text: str) -> str:
    """Replace what a terminal acts on by U+FFFD, and line breaks and tabs by spaces."""
    return CONTROL_CHARACTERS.sub(lambda match: " " if match[0].isspace() else "\ufffd", text)


def draw_bar(share: float) -> str:
    """Draw a share as a bar: 0.25 -> `"██▌       "`."""
    eighths = round(min(max(share, 0.0), 1.0) * BAR_WIDTH * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (PARTIAL_BLOCKS[part] if part else "")).ljust(BAR_WIDTH)


def highlight_words(text: str, explanation: Explanation, tokenizer: Tokenizer = WORDS) -> str:
    """Color the words of a text: green for the label, red against it, bold if decisive.

    Returns:
        The part of the text that was read, in one line, with ANSI colors; without colors if the
        words as written do not match the tokens (such as accents of two characters).
    """
    read = len(explanation.tokens)
    *words, unread = islice(chain(tokenizer.find_spans(text), [(len(text), 0)]), read + 1)
    found = [tokenizer.normalize(text[start:end]) for start, end in words]
    if found != [token.removeprefix(WORD_START) for token in explanation.tokens] or not words:
        return one_line(text)
    largest = max(map(abs, explanation.parts))
    pieces, end = [], 0
    for (start, stop), part in zip(words, explanation.parts):
        color = (GREEN if part > 0 else RED) + (BOLD if abs(part) >= largest / 2 else "")
        colored = abs(part) >= largest / 10 and largest
        pieces.append(replace_controls(text[end:start]))
        word = text[start:stop]
        pieces.append(f"{color}{word}{RESET}" if colored else word)
        end = stop
    pieces.append(replace_controls(text[end : unread[0]]))
    return " ".join("".join(pieces).split())
