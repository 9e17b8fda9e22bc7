"""What the font of the plots can draw."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.font_manager import FontProperties, findfont, get_font


def can_draw(text: str) -> bool:
    """Return whether the font has a glyph for each character of a text."""
    return all(map(_has_glyph, text))


def spell_out(text: str) -> str:
    r"""Replace what the font cannot draw by its code: `"木 1"` -> `"\\u6728 1"`."""
    return "".join(
        char if _has_glyph(char) else char.encode("unicode_escape").decode() for char in text
    )


@lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    font = get_font(findfont(FontProperties()))
    return character.isascii() or font.get_char_index(ord(character)) != 0
