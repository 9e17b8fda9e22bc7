"""Writes the pinned Unicode tables of the tokenizer, for Python and for the page.

    python3.10 -m tools.unicode_table

Runs on a Python whose `unicodedata` has the pinned version, such as 3.9 and 3.10.
"""

import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

VERSION = "13.0.0"
ROOT = Path(__file__).parent.parent
PYTHON_FILE = ROOT / "runtime" / "text" / "unicode_table.py"
JAVASCRIPT_FILE = ROOT / "convert" / "targets" / "web" / "page" / "unicode-table.js"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
DESCRIPTION = (
    "A set is a string of its ranges. For each range it holds the gap after the one before,",
    "and the length if it is not 1, in base 36.",
)
#: How the names of characters start in the scripts that do not put spaces between words.
UNSPACED_NAMES = (
    "CJK COMPATIBILITY IDEOGRAPH",
    "CJK UNIFIED IDEOGRAPH",
    "HALFWIDTH KATAKANA",
    "HANGZHOU NUMERAL",
    "HENTAIGANA",
    "HIRAGANA",
    "IDEOGRAPHIC",
    "KATAKANA",
    "KHMER",
    "LAO ",
    "MYANMAR",
    "THAI ",
    "VERTICAL IDEOGRAPHIC",
)


def is_letter(character: str) -> bool:
    """Return whether a character is a letter or a number."""
    return unicodedata.category(character)[0] in "LN"


def is_unspaced(character: str) -> bool:
    """Return whether a character is a letter of a script without spaces between words."""
    name = unicodedata.name(character, "")
    return is_letter(character) and name.startswith(UNSPACED_NAMES)


def is_mark(character: str) -> bool:
    """Return whether a character is a mark that belongs to a letter."""
    return unicodedata.category(character) in ("Mn", "Mc")


def is_unassigned(character: str) -> bool:
    """Return whether the pinned version does not assign a character."""
    return unicodedata.category(character) == "Cn"


TABLES: dict[str, tuple[str, Callable[[str], bool]]] = {
    "LETTERS": (
        "Letters and numbers (L, N) of scripts that put spaces between words.",
        lambda character: is_letter(character) and not is_unspaced(character),
    ),
    "UNSPACED": (
        "Letters and numbers (L, N) of Han, kana, Thai, Lao, Khmer and Burmese.",
        is_unspaced,
    ),
    "MARKS": ("Marks that belong to the letter before them (Mn, Mc).", is_mark),
    "UNASSIGNED": ("Code points that the version does not assign (Cn).", is_unassigned),
}


def find_ranges(holds: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Yield the first and last code point of each range of characters with a property."""
    start = None
    for code in range(sys.maxunicode + 2):
        if code <= sys.maxunicode and holds(chr(code)):
            start = code if start is None else start
        elif start is not None:
            yield start, code - 1
            start = None


def encode_ranges(ranges: Iterator[tuple[int, int]]) -> str:
    """Encode ranges: for each the gap after the last one, and the length if it is not 1.

    `[(65, 90), (95, 95)]` -> `"1t-q 4"`, in base 36.
    """
    parts, end = [], 0
    for first, last in ranges:
        length = last - first + 1
        parts.append(_base36(first - end) + (f"-{_base36(length)}" if length > 1 else ""))
        end = last + 1
    return " ".join(parts)


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
        if not number:
            return digits


def main() -> None:
    """Write both files."""
    if unicodedata.unidata_version != VERSION:
        sys.exit(f"expected a Python with Unicode {VERSION}, such as 3.10")
    title = f"Sets of characters of Unicode {VERSION}, by `python3.10 -m tools.unicode_table`."
    python = [
        f'"""{title}',
        "",
        *DESCRIPTION,
        '"""',
        "",
        f'UNICODE_VERSION = "{VERSION}"',
    ]
    script = [
        f"// {title}",
        *(f"// {line}" for line in DESCRIPTION),
    ]
    for name, (description, holds) in TABLES.items():
        encoded = encode_ranges(find_ranges(holds))
        lines = textwrap.wrap(encoded, 92)
        python += [f"#: {description}", f"{name} = ("]
        python += [f'    "{line}{" " if line is not lines[-1] else ""}"' for line in lines]
        python += [")"]
        script += ["", f"// {description}", f"export const {name} ="]
        script += [f'  "{line} " +' for line in lines[:-1]] + [f'  "{lines[-1]}";']
    PYTHON_FILE.write_text("\n".join(python) + "\n", "utf-8")
    JAVASCRIPT_FILE.write_text("\n".join(script) + "\n", "utf-8")


if __name__ == "__main__":
    main()
