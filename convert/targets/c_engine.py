"""Writes a bundle as C: the engine, the model, a program, and the golden texts as a test.

glovelite.h, .c, _tables.h   the engine, the same for every bundle
model.bin                    the model, to be loaded or mapped
model.h, model.c             the same bytes as an array
main.c, Makefile             a program that classifies its arguments or lines
test.c, goldens.h            the golden texts, run by `make test`
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.bundle import Bundle, read_bundle
from glovelite.runtime.self_test import GoldenText, read_golden_texts, read_tolerance
from glovelite.runtime.version import __version__

from ..model_bin.model_file import ModelFile, build_model_file
from .c_source import byte_rows, string_literal

ENGINE_FOLDER = Path(__file__).parent / "c"
ENGINE_FILES = ("glovelite.h", "glovelite.c", "glovelite_tables.h", "main.c", "test.c", "Makefile")
MODEL_FILE, ARRAY_HEADER, ARRAY_SOURCE = "model.bin", "model.h", "model.c"
GOLDENS_FILE = "goldens.h"
BUILT_FILES = (  # by the Makefile
    *("classify", "golden_test", "glovelite.o", "model.o", "main.o", "test.o"),
)
C_FILES = frozenset(
    (*ENGINE_FILES, MODEL_FILE, ARRAY_HEADER, ARRAY_SOURCE, GOLDENS_FILE, *BUILT_FILES)
)


@dataclass(frozen=True)
class CEngineResult:
    """A folder of C that was written.

    Attributes:
        path: the folder.
        model_bytes: size of `model.bin`.
        buffer_bytes: memory that a session needs, without a cache of words.
        sections: name of each part of `model.bin` and its bytes.
    """

    path: Path
    model_bytes: int
    buffer_bytes: int
    sections: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types."""
        return {**asdict(self), "path": str(self.path)}


def write_c_engine(bundle: PathLike, out: PathLike, *, overwrite: bool = False) -> CEngineResult:
    """Write the C engine and the model of a bundle.

    Raises:
        BundleError: the bundle is missing or damaged.
        EngineError: the engine does not run its model; the message says why.
        OutputError: the folder exists or cannot be written.
    """
    with reserve_output_folder(Path(out), overwrite, MODEL_FILE, C_FILES) as target:
        source = read_bundle(bundle)
        model = build_model_file(source)
        with atomic_folder(target, overwrite) as staging:
            for name in ENGINE_FILES:
                shutil.copyfile(ENGINE_FOLDER / name, staging / name)
            (staging / MODEL_FILE).write_bytes(model.content)
            (staging / ARRAY_HEADER).write_text(_array_header(source, model), "utf-8")
            (staging / ARRAY_SOURCE).write_text(_array_source(model.content), "utf-8")
            (staging / GOLDENS_FILE).write_text(_goldens(source), "utf-8")
        return CEngineResult(target, len(model.content), model.buffer_bytes, model.sections)


def _array_header(bundle: Bundle, model: ModelFile) -> str:
    vocabulary = bundle.vocabulary
    labels = "\n".join(
        f" *   {n}  {string_literal(label)}" for n, label in enumerate(vocabulary.labels)
    )
    return f"""\
/* The model of a bundle, written by glovelite-convert {__version__}: the bytes of model.bin.
 *
 * Labels:
{labels.replace("*/", "*_/")}
 */
#ifndef GLOVELITE_MODEL_H
#define GLOVELITE_MODEL_H

#include <stddef.h>

#define GLOVELITE_MODEL_LABELS {len(vocabulary.labels)}
#define GLOVELITE_MODEL_MAX_TOKENS {vocabulary.max_tokens}
#define GLOVELITE_MODEL_BUFFER {model.buffer_bytes} /* glovelite_buffer_size(&model, 0) */

#ifdef __cplusplus
extern "C" {{
#endif
extern const void *const glovelite_model_bytes;
extern const size_t glovelite_model_size;
#ifdef __cplusplus
}}
#endif
#endif
"""


def _array_source(content: bytes) -> str:
    return f"""\
#include "{ARRAY_HEADER}"

static const union {{
  unsigned char bytes[{len(content)}];
  double alignment;
}} model = {{{{
{byte_rows(content)}
}}}};

const void *const glovelite_model_bytes = model.bytes;
const size_t glovelite_model_size = sizeof model.bytes;
"""


def _goldens(bundle: Bundle) -> str:
    goldens, tolerance = read_golden_texts(bundle), read_tolerance(bundle)
    arrays = "\n".join(_golden_arrays(number, golden) for number, golden in enumerate(goldens))
    rows = "\n".join(_golden_row(number, golden) for number, golden in enumerate(goldens))
    return f"""\
/* The golden texts of the bundle: what they gave where it was exported. */
#include <stddef.h>
#include <stdint.h>

#define GOLDEN_TOLERANCE {tolerance!r}
enum {{ GOLDEN_TEXTS = {len(goldens)} }};

typedef struct {{
  const char *text;
  size_t length, id_count;
  const uint32_t *ids;
  const double *probabilities;
  double familiarity; /* -1 if it is not known */
  int truncated;
}} golden_text;

{arrays}
static const golden_text golden_texts[GOLDEN_TEXTS] = {{
{rows}
}};
"""


def _golden_arrays(number: int, golden: GoldenText) -> str:
    """Return what a golden text points to; arrays, as strings may not be long in C99."""
    signed = bytes(golden.text, "utf-8", "surrogatepass")
    text = ",".join(str(byte - 256 * (byte > 127)) for byte in signed)
    return f"""\
static const signed char text_{number}[] = {{{text or 0}}};
static const uint32_t ids_{number}[] = {{{_numbers(golden.ids) or 0}}};
static const double probabilities_{number}[] = {{{_numbers(golden.probabilities)}}};
"""


def _golden_row(number: int, golden: GoldenText) -> str:
    length = len(golden.text.encode("utf-8", "surrogatepass"))
    familiarity = -1.0 if golden.familiarity is None else golden.familiarity
    return (
        f"    {{(const char *)text_{number}, {length}, {len(golden.ids)}, ids_{number}, "
        f"probabilities_{number}, {familiarity!r}, {int(golden.truncated)}}},"
    )


def _numbers(values: Sequence[float]) -> str:
    return ",".join(map(repr, values))
