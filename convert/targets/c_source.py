"""Writes data as C source."""

from __future__ import annotations


def string_literal(text: str) -> str:
    """Return a C string literal; bytes other than plain ASCII are octal escapes."""
    plain = set(range(32, 127)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def byte_rows(content: bytes) -> str:
    """Return the elements of an array of bytes, 16 in a line."""
    rows = (content[start : start + 16] for start in range(0, len(content), 16))
    return "\n".join("  " + "".join(f"{byte}," for byte in row) for row in rows)
