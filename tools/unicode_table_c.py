"""Writes the tables of the C engine: character classes, composition (NFC), lower case, CRC-32.

    python3.10 -m tools.unicode_table_c

Runs on a Python whose `unicodedata` has the pinned version, as `tools.unicode_table` does, with
numpy, which `glovelite` imports, and `src` on its path.
"""

from __future__ import annotations

import re
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from glovelite.runtime.text.tokenizer import EMOJI, INVISIBLE, JOINERS
from tools.unicode_table import ROOT, VERSION, is_letter, is_mark, is_unassigned, is_unspaced

FILE = ROOT / "convert" / "targets" / "c" / "glovelite_tables.h"
OTHER, LETTER, UNSPACED, MARK, JOINER = range(5)
APOSTROPHE, UNDERSCORE, SPACE, INVISIBLE_CLASS, UNASSIGNED = range(5, 10)
#: Flag above the class: the character may compose with the one before it, NFC replaces it, or it
#: has a lower case.
CHANGES = 16
HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic
VOWELS_AND_FINALS = (range(0x1161, 0x1176), range(0x11A8, 0x11C3))
is_invisible, is_emoji = (re.compile(f"[{characters}]").match for characters in (INVISIBLE, EMOJI))
#: What remains with GLOVELITE_LATIN: Latin letters up to U+024F, phonetic ones, those with marks,
#: the marks, and punctuation.
LATIN_BLOCKS = (
    *((0x0, 0x36F), (0x1D00, 0x1EFF), (0x2000, 0x214F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    (0xE0100, 0xE01EF),
)
BLOCK_BITS = 6
TRIE_END, LATIN_TRIE_END = 0x10000, 0x2180  # beyond, characters with a property are in few ranges
CODES_END = 0x110000


def classify(code: int) -> int:
    """Return the class of a code point, as `runtime/text/tokenizer.py` has it."""
    character = chr(code)
    for class_, characters in ((JOINER, JOINERS), (APOSTROPHE, "'’"), (UNDERSCORE, "_")):
        if character in characters:
            return class_
    if is_invisible(character):
        return INVISIBLE_CLASS
    if character.isspace():  # what `str.split` separates at
        return SPACE
    if is_letter(character):
        return UNSPACED if is_unspaced(character) else LETTER
    if is_mark(character):
        return MARK
    return UNASSIGNED if is_unassigned(character) and not is_emoji(character) else OTHER


def decompose(code: int) -> tuple[int, int] | None:
    """Return the canonical decomposition in one step, with 0 as second of a single character."""
    parts = unicodedata.decomposition(chr(code)).split()
    if not parts or parts[0].startswith("<"):
        return None
    first, second = (int(part, 16) for part in (*parts, "0")[:2])
    return first, second


def lower(code: int) -> int:
    """Return the lower case of a code point after the tokenizer's replacements."""
    character = {"İ": "i", "ς": "σ", "’": "'"}.get(chr(code)) or chr(code).lower()
    if len(character) != 1:
        raise ValueError(f"the lower case of U+{code:04X} has {len(character)} characters")
    return ord(character)


@dataclass(frozen=True)
class Tables:
    """The tables of a set of characters.

    Attributes:
        properties: a class and flags for each code point.
        classes: canonical combining class of each mark, by changes: code point and class.
        decompositions: code point, first and second part.
        compositions: positions in `decompositions` by first and second part.
        lower: first, stride, count and distance of code points with a lower case.
    """

    properties: list[int]
    classes: list[tuple[int, int]]
    decompositions: list[tuple[int, int, int]]
    compositions: list[int]
    lower: list[tuple[int, int, int, int]]


def make_tables(holds: Callable[[int], bool]) -> Tables:
    """Return the tables of the code points that a function accepts."""
    codes = [code for code in range(CODES_END) if holds(code)]
    decompositions = [
        (code, *parts)
        for code in codes
        if code not in HANGUL and (parts := decompose(code)) and all(map(holds, parts))
    ]
    recomposed = {
        code: (first, second)
        for code, first, second in decompositions
        if unicodedata.normalize("NFC", chr(code)) == chr(code)
    }
    seconds = {second for _, second in recomposed.values()} | {
        code for block in VOWELS_AND_FINALS for code in block if holds(code)
    }
    decomposed = {code for code, _, _ in decompositions}
    if decomposed & {second for _, _, second in decompositions}:
        raise ValueError("a second part has a decomposition")
    properties = [OTHER] * CODES_END
    for code in codes:
        combines = unicodedata.combining(chr(code)) > 0 or code in seconds
        replaced = code in decomposed and code not in recomposed
        changes = combines or replaced or lower(code) != code
        properties[code] = classify(code) | CHANGES * changes
    classes = [unicodedata.combining(chr(code)) * holds(code) for code in range(CODES_END)]
    positions = {code: position for position, (code, *_) in enumerate(decompositions)}
    ordered = sorted(recomposed, key=lambda code: recomposed[code])
    return Tables(
        properties,
        find_changes(classes),
        decompositions,
        [positions[code] for code in ordered],
        [*find_runs([(code, lower(code) - code) for code in codes if lower(code) != code])],
    )


def find_changes(values: Sequence[int], start: int = 0) -> list[tuple[int, int]]:
    """Return where values change and what to: `[0, 0, 7, 0]` -> `[(0, 0), (2, 7), (3, 0)]`."""
    return [
        (index + start, value)
        for index, value in enumerate(values)
        if not index or values[index - 1] != value
    ]


def find_runs(distances: list[tuple[int, int]]) -> Iterator[tuple[int, int, int, int]]:
    """Yield first, stride (1 or 2), count and distance of runs of code points."""
    position = 0
    while position < len(distances):
        first, distance = distances[position]
        best = (1, 1)
        for stride in (1, 2):
            count = 1
            while position + count < len(distances) and distances[position + count] == (
                first + stride * count,
                distance,
            ):
                count += 1
            best = max(best, (count, stride))
        yield first, best[1], best[0], distance
        position += best[0]


def write_array(type_: str, name: str, values: Sequence[int], width: int = 98) -> str:
    """Return the definition of an array."""
    lines = textwrap.wrap(", ".join(map(str, values)), width)
    content = "\n".join(f"  {line}" for line in lines)
    return f"static const {type_} {name}[{len(values)}] = {{\n{content}\n}};\n"


def write_tables(tables: Tables, trie_end: int, packed: bool) -> tuple[str, int]:
    """Return the definitions of tables, and their bytes.

    Args:
        packed: whether a decomposition takes two numbers of 32 bits, not three of 16.
    """
    kinds = sorted(set(tables.properties))
    if len(kinds) > 16:
        raise ValueError(f"{len(kinds)} kinds of characters do not fit into half a byte")
    halves = [kinds.index(property_) for property_ in tables.properties[:trie_end]]
    size, blocks, index = 1 << BLOCK_BITS, dict[tuple[int, ...], int](), []
    for start in range(0, trie_end, size):
        block = halves[start : start + size]
        pairs = tuple(low + 16 * high for low, high in zip(block[::2], block[1::2]))
        index.append(blocks.setdefault(pairs, len(blocks)))
    beyond = find_changes(tables.properties[trie_end:], trie_end)
    parts = []
    for code, first, second in tables.decompositions:
        words = (code | (first & 0x3FFF) << 18, first >> 14 | second << 4)
        parts += words if packed else (code, first, second)
    runs = [
        number
        for first, stride, count, distance in tables.lower
        for number in (first | (stride - 1) << 20 | count << 21, distance)
    ]
    arrays = (
        ("uint8_t", "property_index", index, 1),
        ("uint8_t", "property_blocks", [pair for block in blocks for pair in block], 1),
        ("uint8_t", "property_kinds", kinds, 1),
        ("uint32_t", "property_changes", [code << 8 | value for code, value in beyond], 4),
        ("uint32_t", "class_changes", [code << 8 | value for code, value in tables.classes], 4),
        (f"uint{32 if packed else 16}_t", "decompositions", parts, 4 if packed else 2),
        ("uint16_t", "compositions", tables.compositions, 2),
        ("int32_t", "lower_runs", runs, 4),
    )
    text = "\n".join(write_array(type_, name, values) for type_, name, values, _ in arrays)
    return text, sum(len(values) * width for _, _, values, width in arrays)


def make_crc_table() -> list[int]:
    """Return what a byte adds to a CRC-32, for each byte."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0xEDB88320 * (byte & 1)
        table.append(byte)
    return table


PACKED_PARTS = """
enum { DECOMPOSITION_WIDTH = 2 };
#define DECOMPOSED_CODE(d) ((d)[0] & 0x3FFFFu)
#define DECOMPOSED_FIRST(d) ((d)[0] >> 18 | ((d)[1] & 15u) << 14)
#define DECOMPOSED_SECOND(d) ((d)[1] >> 4)
typedef uint32_t decomposition_part;
"""
SHORT_PARTS = """
enum { DECOMPOSITION_WIDTH = 3 };
#define DECOMPOSED_CODE(d) ((uint32_t)(d)[0])
#define DECOMPOSED_FIRST(d) ((uint32_t)(d)[1])
#define DECOMPOSED_SECOND(d) ((uint32_t)(d)[2])
typedef uint16_t decomposition_part;
"""
HEADER = """\
/* Unicode {version} and CRC-32 for glovelite.c, by `python3.10 -m tools.unicode_table_c`.
 *
 * The property of a code point is its class and whether normalization may change it.
 *
 * property_index, _blocks, _kinds   below PROPERTY_END: number of the block of {block} code points;
 *                                   in it half a byte for each, the low one first; its meaning
 * property_changes                  beyond: code point << 8 | property, where it changes
 * class_changes                     canonical combining class: code point << 8 | class, the same
 * decompositions                    canonical, in one step, by code point
 * compositions                      positions in decompositions, by first and second part
 * lower_runs                        two numbers: code point | (stride - 1) << 20 | count << 21; the
 *                                   distance to the lower case
 *
 * The Unicode tables take {all} bytes. With GLOVELITE_LATIN only Latin remains, {latin} bytes:
 * characters of other scripts are then no part of words. The table of CRC-32 takes 1,024 bytes.
 */
#ifndef GLOVELITE_TABLES_H
#define GLOVELITE_TABLES_H

#include <stdint.h>

enum {{ BLOCK_BITS = {bits} }};

{crc}
#ifdef GLOVELITE_LATIN

enum {{ PROPERTY_END = {latin_end} }};
{short_parts}
{latin_tables}
#else

enum {{ PROPERTY_END = {all_end} }};
{packed_parts}
{all_tables}
#endif
#endif
"""


def is_latin(code: int) -> bool:
    """Return whether a code point remains with GLOVELITE_LATIN."""
    return any(first <= code <= last for first, last in LATIN_BLOCKS)


def main() -> None:
    """Write the header."""
    if unicodedata.unidata_version != VERSION:
        sys.exit(f"expected a Python with Unicode {VERSION}, such as 3.10")
    everything, size = write_tables(make_tables(lambda _: True), TRIE_END, packed=True)
    latin, latin_size = write_tables(make_tables(is_latin), LATIN_TRIE_END, packed=False)
    text = HEADER.format(
        version=VERSION,
        block=1 << BLOCK_BITS,
        bits=BLOCK_BITS,
        crc=write_array("uint32_t", "crc_table", make_crc_table()),
        all=f"{size:,}",
        latin=f"{latin_size:,}",
        all_end=f"0x{TRIE_END:X}",
        latin_end=f"0x{LATIN_TRIE_END:X}",
        all_tables=everything,
        latin_tables=latin,
        packed_parts=PACKED_PARTS.strip() + "\n",
        short_parts=SHORT_PARTS.strip() + "\n",
    )
    FILE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
