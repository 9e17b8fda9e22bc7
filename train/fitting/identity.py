"""What a training run depends on, so that saved work is resumed by the same run only."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

MAX_SHOWN_DIFFERENCES = 3
SHOWN_HASH = 8  # characters of one
#: Dotted name -> number, string, list or None, as JSON returns them.
Identity = dict[str, Any]


def make_identity(parts: Mapping[str, Any]) -> Identity:
    """Flatten what a run depends on, plain JSON types, to dotted names."""
    return dict(_flatten(json.loads(json.dumps(parts)), ""))


def describe_other(saved: Any, current: Identity) -> str | None:
    """Describe why saved work cannot be resumed, such as `"had epochs 60, not 10"`.

    Args:
        saved: the identity of the run that saved it, as JSON returns it; None if it cannot be read.
        current: the identity of the current run.

    Returns:
        None if it can be resumed.
    """
    if saved == current:
        return None
    if saved is None:
        return "cannot be read"
    if not isinstance(saved, dict):
        return "was saved by another version of glovelite"
    return f"had {describe_difference(saved, current)}"


def describe_difference(saved: Identity, current: Identity) -> str:
    """Describe how the run that a checkpoint was saved by differs from the current one.

    Args:
        saved: the identity of the saved run; its names are those of `metrics.json`.
        current: the identity of the current run, which is another one.

    Returns:
        Such as `"epochs 60, not 10"`. What follows from other differences, such as the vocabulary,
        is not shown.
    """
    names = [name for name in {**current, **saved} if saved.get(name) != current.get(name)]
    follows = _names_that_follow(names)
    differences = [
        f"{shown} {_show(name, saved)}, not {_show(name, current)}"
        for name in names
        if not name.startswith(follows) and (shown := _shown_name(name))
    ]
    if any(name.startswith("corpus.") and not name.startswith(follows) for name in names):
        differences.insert(0, "other text")
    if not differences:
        differences.append("other vectors")
    hidden = len(differences) - MAX_SHOWN_DIFFERENCES
    more = f" and {hidden} more differences" if hidden > 0 else ""
    return f"{'; '.join(differences[:MAX_SHOWN_DIFFERENCES])}{more}"


def _shown_name(name: str) -> str | None:
    section, _, rest = name.partition(".")
    if section == "split":
        return f"split {rest}"
    if section == "initial_run":
        return "initial run" if rest == "name" else f"{rest} of the initial run"
    return rest if section in ("configuration", "versions") else None


def _names_that_follow(names: Collection[str]) -> tuple[str, ...]:
    """Return the beginnings of names that differ because the same text is split in another way."""
    if "initial_run.name" in names:
        return ("initial_run.weights", "corpus.fingerprints.", "corpus.texts", "corpus.sources.")
    # Both of these may drop copies.
    if any(name.startswith(("split.", "initial_run.")) for name in names):
        return ("corpus.fingerprints.", "corpus.texts", "corpus.sources.")
    return ("corpus.fingerprints.",) if "configuration.seed" in names else ()


def _flatten(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield name, value
        return
    for key, each in value.items():
        yield from _flatten(each, f"{name}.{key}" if name else key)


def _show(name: str, identity: Identity) -> str:
    value = identity.get(name)
    if value is None:  # an option that is not set
        return "none" if name.startswith("initial_run.") else "default"
    if name == "initial_run.weights":
        return str(value)[:SHOWN_HASH]
    return str(value) if isinstance(value, str) else json.dumps(value)
