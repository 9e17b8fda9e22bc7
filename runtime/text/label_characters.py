"""Which characters a label may hold: visible ones, and what joins them."""

from __future__ import annotations

import unicodedata

#: Zero-width non-joiner and joiner: parts of emoji, and of words in Persian, Sinhala and others.
JOINERS = "\u200c\u200d"
_LAST_LATIN = "\u036f"  # combining marks included; Latin words need no joiners
_BLACK_FLAG = "\U0001f3f4"
_TAGS = range(0xE0020, 0xE0080)  # after a black flag they name a region, such as Scotland
_EMOJI = range(0x1F000, 0x1FB00)  # newer ones are unassigned in Python's version of Unicode


def check_label(label: str) -> str:
    """Return a label; raise ValueError if it is empty or holds a character that cannot be seen."""
    if not label:
        raise ValueError("the label is empty")
    if label.isprintable():
        return label
    for position, character in enumerate(label):
        if character.isprintable() or _belongs(character, label[:position]):
            continue
        name = unicodedata.name(character, "")
        described = f"U+{ord(character):04X}{name and ' '}{name}"
        advice = "replace it by a space" if character.isspace() else "remove it"
        raise ValueError(
            f"the label {label[:40]!r} holds {described}, which cannot be seen: {advice}"
        )
    return label


def _belongs(character: str, before: str) -> bool:
    """Return whether a character that is not printable is part of what is before it."""
    if ord(character) in _EMOJI:
        return True
    last = before[-1:]
    if ord(character) in _TAGS:
        return last == _BLACK_FLAG or (last != "" and ord(last) in _TAGS)
    is_joined = last > _LAST_LATIN and last not in JOINERS and not last.isspace()
    return character in JOINERS and is_joined
