"""Turns HTML into plain text: without tags, with entities decoded.

The standard library's `html.parser` takes quadratic time for tags and comments that never end; this
takes linear time.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

#: Elements within a line; all others begin and end one.
INLINE = re.compile(
    "a|abbr|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|"
    "strong|sub|sup|time|tt|u|var|wbr"
)
HIDDEN = ("script", "style")

_ATTRIBUTES = r"""(?:[^<>"']|"[^"]{0,300}"|'[^']{0,300}'){0,300}"""  # may hold < and > in quotes
_TAG = re.compile(rf"<(?:[!?]|(/?[a-z][a-z0-9:-]*)(?=[\s/>])(?:{_ATTRIBUTES}(?=>))?)[^<>]*>", re.I)
#: Tags of HTML, unlike placeholders such as `<user>` and `<s>`.
_KNOWN_TAG = re.compile(
    r"</?(?:p|br|div|span|b|i|u|em|strong|font|h[1-6]|[uod]l|li|table|tbody|thead|t[rdh]|img|hr|"
    r"blockquote|pre|code|html|head|body|script|style|form|input|button|iframe|section|article|"
    r"center|a(?=\s+href)|(?<=/)a)(?:\s[^<>]*|\s*/)?>",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"&#(?:x[0-9a-f]{8,}|[0-9]{8,});?", re.IGNORECASE)  # of no character
_BLANKS = re.compile(r"[^\S\n]+")


def has_tags(text: str) -> bool:
    """Return whether a text holds a tag of HTML."""
    return "<" in text and _KNOWN_TAG.search(text) is not None


def strip_html(text: str) -> str:
    """Return the text of HTML: tags end lines, except within a line; comments are removed.

    Text without tags and entities stays as it is. A `<` that begins no tag stays.
    """
    if "<" not in text and "&" not in text:
        return text
    shown = "".join(_split_tags(_remove_comments(text)))
    decoded = html.unescape(_LONG_NUMBER.sub("\ufffd", shown))
    lines = (_BLANKS.sub(" ", line).strip() for line in decoded.splitlines())
    return "\n".join(line for line in lines if line)


def _remove_comments(text: str) -> str:
    first, *others = text.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in others)


def _split_tags(text: str) -> Iterator[str]:
    """Yield the text between tags, without scripts and style sheets, and ends of lines."""
    end, hidden = 0, ""
    for tag in _TAG.finditer(text):
        if not hidden:
            yield text[end : tag.start()]
        end = tag.end()
        name = (tag[1] or "").lower()
        if hidden:
            hidden = "" if name == f"/{hidden}" else hidden
        elif name in HIDDEN:
            hidden = name
        if name and not INLINE.fullmatch(name.lstrip("/")):
            yield "\n"
    if not hidden:
        yield text[end:]
