"""Writes a model as a C array for microcontrollers, and checks whether TFLite Micro can run it.

The array is the flatbuffer, aligned as TFLite Micro requires. It does not include the tokenizer:
the device needs a port of it, or gets ids from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glovelite.runtime.text.vocabulary import Vocabulary

from ..tflite.tflite_file import Contents
from .c_source import byte_rows, string_literal

SOURCE_FILE, HEADER_FILE = "model.c", "model.h"
_SINGLE_LABEL_OUTPUT = "a probability per label, or of the second of two labels."
_MULTI_LABEL_OUTPUT = """a probability per label. A text has each label whose probability is
 * at least its threshold; a label with a threshold of 1 is never given."""
_THRESHOLDS = "const float glovelite_thresholds[GLOVELITE_LABELS]"
_INTEGERS = {"INT8", "INT32"}  # values, biases, ids and shapes
_BOTH = {*_INTEGERS, "FLOAT32"}
#: Types that TFLite Micro's operators accept, as far as our int8 graphs use them: run on its own
#: interpreter (the tflite-micro package of October 2026), with the same outputs as TFLite.
MICRO_OPERATORS = {
    **dict.fromkeys(("ADD", "CONCATENATION", "CONV_2D", "FULLY_CONNECTED"), _INTEGERS),
    **dict.fromkeys(("GATHER", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "SOFTMAX"), _INTEGERS),
    **dict.fromkeys(("REDUCE_MAX", "RESHAPE", "RSQRT", "STRIDED_SLICE", "SUM"), _INTEGERS),
    **dict.fromkeys(("CAST", "DEQUANTIZE", "QUANTIZE"), _BOTH),
}
#: Where the outputs, and so the tables, are more restricted than the types of all tensors.
_MICRO_OUTPUTS = {"GATHER": {"INT8"}}


def missing_in_micro(contents: Contents) -> list[str]:
    """List the operators and types that TFLite Micro lacks: `["REDUCE_MAX of FLOAT32"]`."""
    missing = []
    for operator in contents.operators:
        known = MICRO_OPERATORS.get(operator.name, set()) if operator.builtin else set()
        made = set(operator.output_types) - _MICRO_OUTPUTS.get(operator.name, known)
        others = sorted(set(operator.types) - known | made)
        if others:
            missing.append(f"{operator.name} of {', '.join(others)}")
    return missing


def write_c(
    folder: Path,
    flatbuffer: bytes,
    contents: Contents,
    vocabulary: Vocabulary,
    thresholds: Sequence[float] = (),
) -> None:
    """Write `model.c` and `model.h` for a model with one input length.

    There is a threshold for each label of a multi-label bundle, none if it is single-label.

    Raises:
        ValueError: a label of a multi-label bundle has no threshold.
    """
    if len(thresholds) != len(vocabulary.labels) * vocabulary.multi_label:
        raise ValueError(f"{len(thresholds)} thresholds for {len(vocabulary.labels)} labels")
    output, declaration, definition = _SINGLE_LABEL_OUTPUT, "", ""
    if vocabulary.multi_label:
        output = _MULTI_LABEL_OUTPUT
        declaration = f"extern {_THRESHOLDS};\n"
        values = ", ".join(f"{value!r}f" for value in map(float, thresholds))
        definition = f"{_THRESHOLDS} = {{{values}}};\n"
    length = vocabulary.max_tokens + vocabulary.trailing_padding
    labels = ", ".join(map(string_literal, vocabulary.labels))
    operators = "\n".join(f" *   {operator.name}" for operator in contents.operators)
    (folder / HEADER_FILE).write_text(
        f"""\
/* A glovelite text classifier for TFLite Micro.
 *
 * Input: int32 [1, {length}], ids of up to {vocabulary.max_tokens} tokens, then 0;
 *   vocab.json holds the pattern of a token, and the position of each is its id.
 * Output: {output}
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
{declaration}#ifdef __cplusplus
}}
#endif
#endif
""",
        "utf-8",
    )
    (folder / SOURCE_FILE).write_text(
        f"""\
#include "{HEADER_FILE}"

_Alignas(16) const unsigned char glovelite_model[] = {{
{byte_rows(flatbuffer)}
}};
const unsigned int glovelite_model_bytes = {len(flatbuffer)};
const char *const glovelite_labels[GLOVELITE_LABELS] = {{{labels}}};
{definition}""",
        "utf-8",
    )
