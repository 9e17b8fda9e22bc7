"""Writes a model as a C array for microcontrollers, and says whether TFLite Micro can run it.

The array is the flatbuffer itself, aligned as TFLite Micro needs it. The tokenizer is not in it: a
device gets its ids from elsewhere, or from its maker's own port of `vocab.json`.
"""

from __future__ import annotations

from pathlib import Path

from runtime.vocabulary import Vocabulary

from ..tflite.tflite_file import Contents

SOURCE, HEADER = "model.c", "model.h"
_INTEGERS = {"INT8", "INT32"}  # values, with biases, ids and shapes
_BOTH = {*_INTEGERS, "FLOAT32"}
#: Types that TFLite Micro's operators take, as far as our int8 graphs use them: seen to run on its
#: own interpreter (the tflite-micro package of October 2026) with the very answers of TFLite.
MICRO_OPERATORS = {
    **dict.fromkeys(("ADD", "CONCATENATION", "CONV_2D", "FULLY_CONNECTED"), _INTEGERS),
    **dict.fromkeys(("GATHER", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "SOFTMAX"), _INTEGERS),
    **dict.fromkeys(("REDUCE_MAX", "RESHAPE", "RSQRT", "STRIDED_SLICE", "SUM"), _INTEGERS),
    **dict.fromkeys(("CAST", "DEQUANTIZE", "QUANTIZE"), _BOTH),
}


def missing_in_micro(contents: Contents) -> list[str]:
    """List what a model has that TFLite Micro has not.

    Args:
        contents: of the model.

    Returns:
        Operators with the types that lack: `["REDUCE_MAX of FLOAT32"]`; empty where it runs.
    """
    missing = []
    for operator in contents.operators:
        known = MICRO_OPERATORS.get(operator.name, set()) if operator.builtin else set()
        others = sorted(set(operator.types) - known)
        if others:
            missing.append(f"{operator.name} of {', '.join(others)}")
    return missing


def write_c(folder: Path, flatbuffer: bytes, contents: Contents, vocabulary: Vocabulary) -> None:
    """Write `model.c` and `model.h`.

    Args:
        folder: where to.
        flatbuffer: the model, of one length.
        contents: of the model.
        vocabulary: of the model.
    """
    length = vocabulary.max_tokens + vocabulary.trailing_padding
    labels = ", ".join(map(_literal, vocabulary.labels))
    operators = "\n".join(f" *   {each.name}" for each in contents.operators)
    (folder / HEADER).write_text(
        f"""\
/* A glovelite text classifier for TFLite Micro.
 *
 * Input: int32 [1, {length}], ids of {vocabulary.max_tokens} tokens by vocab.json, then 0.
 * Output: a probability for each label, or for the second where there are two.
 * Operators, for a MicroMutableOpResolver<{len(contents.operators)}>:
{operators}
 */
#ifndef GLOVELITE_MODEL_H
#define GLOVELITE_MODEL_H

#define GLOVELITE_MAX_TOKENS {vocabulary.max_tokens}
#define GLOVELITE_INPUT_LENGTH {length}
#define GLOVELITE_LABELS {len(vocabulary.labels)}

#ifdef __cplusplus
extern "C" {{
#endif
extern const unsigned char glovelite_model[];
extern const unsigned int glovelite_model_bytes;
extern const char *const glovelite_labels[GLOVELITE_LABELS];
#ifdef __cplusplus
}}
#endif
#endif
""",
        "utf-8",
    )
    rows = (flatbuffer[start : start + 16] for start in range(0, len(flatbuffer), 16))
    array = "\n".join("  " + "".join(f"{byte}," for byte in row) for row in rows)
    (folder / SOURCE).write_text(
        f"""\
#include "{HEADER}"

_Alignas(16) const unsigned char glovelite_model[] = {{
{array}
}};
const unsigned int glovelite_model_bytes = {len(flatbuffer)};
const char *const glovelite_labels[GLOVELITE_LABELS] = {{{labels}}};
""",
        "utf-8",
    )


def _literal(text: str) -> str:
    """Write a C string of any text: bytes that are not plain ASCII, in octal."""
    plain = set(range(32, 127)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'
