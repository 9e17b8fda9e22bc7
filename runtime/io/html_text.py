"""Turns HTML into plain text: without tags, with entities decoded."""

from __future__ import annotations

import re
from html.parser import HTMLParser

#: Elements within a line; all others begin and end one.
INLINE = re.compile(
    "a|abbr|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|"
    "strong|sub|sup|time|tt|u|var|wbr"
)
HIDDEN = ("script", "style")

_MARKED_SECTION = re.compile(r"<!\[[^>]*>?")  # Word's `<![if …]>`, for which the parser can raise
_BLANKS = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r"\s*\n\s*")


def strip_html(text: str) -> str:
    """Return the text of HTML: tags end lines, except within a line; comments are removed.

    Text without tags and entities stays as it is. A `<` that begins no tag stays.
    """
    if "<" not in text and "&" not in text:
        return text
    parser = _TextParser()
    parser.feed(_MARKED_SECTION.sub("", text))
    parser.close()
    return _LINE_ENDS.sub("\n", _BLANKS.sub(" ", "".join(parser.parts))).strip()


class _TextParser(HTMLParser):
    """Collects the text between tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        """Begin a line or hidden text."""
        self._hidden = tag in HIDDEN
        self._separate(tag)

    def handle_endtag(self, tag: str) -> None:
        """End a line or hidden text."""
        self._hidden = False
        self._separate(tag)

    def handle_data(self, data: str) -> None:
        """Take text, unless it is a script or a style sheet."""
        if not self._hidden:
            self.parts.append(data)

    def _separate(self, tag: str) -> None:
        if not INLINE.fullmatch(tag):
            self.parts.append("\n")
