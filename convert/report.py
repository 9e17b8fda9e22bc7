"""What a person is told of an export, a bundle, a check, a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtime.bundle import MODEL_FILE
from runtime.errors import BundleDamagedError
from runtime.vocabulary import CONTROL_CHARACTERS

from .options import Export
from .targets.site import Site
from .tflite.tflite_file import Contents
from .verify.inspection import Accuracy, Comparison, Verification

SHOWN_TENSORS = 8


def describe_export(done: Export) -> str:
    """Say what was exported and what it kept of the float model."""
    lines = [f"{'':6} {'texts':>7} {'Keras':>8} {'device':>8} {'same label':>11}"]
    for name, each in done.fidelity.items():
        lines.append(
            f"{name:6} {each.texts:7,} {each.keras:8.2%} {each.device:8.2%} {each.agreement:11.2%}"
        )
    lines.append(_describe_abstention(done))
    sizes = ", ".join(f"{name} {size:,}" for name, size in done.bytes.items())
    lines.append(f"bundle {done.bundle}: {done.total_bytes:,} bytes ({sizes})")
    for_mediapipe = done.bytes[MODEL_FILE] - done.plain_bytes
    if for_mediapipe:
        lines.append(
            f"of these, {for_mediapipe:,} for MediaPipe: {done.total_bytes - for_mediapipe:,} "
            "bytes without"
        )
    if done.missing_in_micro is not None:
        missing = "; ".join(done.missing_in_micro)
        lines.append(
            f"TFLite Micro lacks {missing}: the C array will not run there"
            if missing
            else "model.c, model.h: TFLite Micro has every operator and type of it"
        )
    return "\n".join(lines)


def _describe_abstention(done: Export) -> str:
    if not done.abstention.probability:
        return "every answer is relied on, whatever its probability"
    left = ", ".join(
        f"{each.share:.0%} of {name} are answered, {each.accuracy:.1%} right"
        for name, each in done.answered.items()
    )
    return f"with --abstain, below {done.abstention.probability:.1%}: {left}"


def describe_contents(bundle: Path, manifest: dict[str, Any], contents: Contents) -> str:
    """Say what a bundle holds; BundleDamagedError where the manifest lacks what is said."""
    try:
        lines = _describe_contents(bundle, manifest, contents)
        return "\n".join(CONTROL_CHARACTERS.sub("\ufffd", line) for line in lines)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleDamagedError(f"{bundle}: the manifest is not whole: {error!r}") from None


def _describe_contents(bundle: Path, manifest: dict[str, Any], contents: Contents) -> list[str]:
    length = manifest["input"]["length"]
    trained = manifest["trained"]
    lines = [
        f"{bundle}: {manifest['architecture']} by recipe {manifest['recipe']}, "
        f"layout {manifest['layout']}, "
        f"loads on TFLite {contents.oldest_runtime} and newer",
        f"trained on {trained['corpus']['name']} with {trained['glove']}, seed {trained['seed']}",
        f"input int32 [1, {length or 'any length'}], output {manifest['output']['dtype']} "
        f"[1, {manifest['output']['size']}] ({manifest['output']['activation']})",
        "",
    ]
    for name, described in manifest["files"].items():
        lines.append(f"{name:13} {described['bytes']:11,} bytes  sha256 {described['sha256']}")
    lines += ["", f"{'operator':17} {'version':>7} {'count':>6}"]
    for each in contents.operators:
        lines.append(f"{each.name:17} {each.version:7} {each.count:6}")
    lines += ["", f"{'tensor (the largest)':44} {'type':8} {'shape':18} {'bytes':>11}"]
    for tensor in contents.tensors[:SHOWN_TENSORS]:
        shape = " × ".join(map(str, tensor.shape)) or "scalar"
        lines.append(f"{tensor.name[-44:]:44} {tensor.dtype:8} {shape:18} {tensor.bytes:11,}")
    lines += ["", f"accuracy by {manifest['interpreter']}:"]
    for name, each in manifest["accuracy"].items():
        lines.append(
            f"{name:5} {each['texts']:7,} texts: Keras {each['keras']:.2%}, device "
            f"{each['device']:.2%}, same label {each['agreement']:.2%}"
        )
    return lines


def describe_verification(bundle: Path, found: Verification) -> str:
    """Say what a check found."""
    lines = [
        f"{bundle}: hashes right; {found.goldens} golden texts replayed on {found.interpreter}, "
        f"largest difference {found.largest_difference:.1e}"
    ]
    if found.accuracy:
        lines.append(f"accuracy {_describe(found.accuracy)}")
    return "\n".join(lines)


def describe_comparison(first: Path, second: Path, found: Comparison) -> str:
    """Say how two bundles compare."""
    lines = [f"{path}: {size:,} bytes" for path, size in zip((first, second), found.bytes)]
    for place, each in enumerate(found.accuracy or ()):
        lines[place] += f", accuracy {_describe(each)}"
    lines.append(
        f"same label on {found.agreement:.2%} of {found.texts:,} texts, largest probability "
        f"difference {found.largest_difference:.4f}"
    )
    if found.chance is not None:
        lines.append(f"a difference in accuracy this large comes by chance in {found.chance:.1%}")
    return "\n".join(lines)


def describe_site(site: Site) -> str:
    """Say what was written and what a browser loads of it."""
    return (
        f"site {site.path}: page {site.page_bytes:,} bytes, bundle {site.bundle_bytes:,}, "
        f"engine {site.engine_bytes:,}\n"
        f"to look at it: python3 -m http.server --directory {site.path}"
    )


def _describe(each: Accuracy) -> str:
    return f"{each.accuracy:.2%} ({each.low:.2%} to {each.high:.2%}, {each.texts:,} texts)"
