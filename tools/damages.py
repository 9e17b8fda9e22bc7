"""Damages for bundles, drawn by number: the same number gives the same damage.

Standard library only, so that a device's environment can run it.
"""

import hashlib
import io
import json
import os
import random
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Union

MODEL, VOCABULARY, HASHED_WORDS, NGRAMS, MANIFEST, MODEL_CARD = (
    "model.tflite",
    "vocab.json",
    "hashed_words.bin",
    "ngrams.bin",
    "manifest.json",
    "MODEL_CARD.md",
)
FOLDER = "."  # stands for the bundle's folder itself
NGRAMS_HEADER, BUCKETS_AT = 28, 8  # of ngrams.bin: its header's bytes, its first number
Content = Union[bytes, Callable[[Path], object]]  # a file's content, or a function that creates it


@dataclass(frozen=True)
class Kind:
    """A kind of damage.

    Attributes:
        draw: a function of a generator, the files of a bundle and those of another one, which
            returns a damage.
        file: the file that the bundle must have; None damages any bundle.
    """

    draw: Callable[..., "Damage"]
    file: Union[str, None] = None


@dataclass(frozen=True)
class Damage:
    """A change to a bundle.

    Attributes:
        kind: its row in the table of counts.
        detail: what was changed, for people.
        changed: the changed files.
        forged: whether hashes were rewritten to match, so that predictions may differ.
    """

    kind: str
    detail: str
    changed: dict[str, Content]
    forged: bool = False


def draw(number, bundles):
    """Draw a damage.

    Args:
        number: draws it.
        bundles: the files of intact bundles, name -> bytes.

    Returns:
        The position of the bundle that is damaged, and the damage.
    """
    rng, kind = random.Random(number), KINDS[number % len(KINDS)]
    able = [place for place, files in enumerate(bundles) if kind.file in (None, *files)]
    turn = number // len(KINDS)
    chosen = able[turn % len(able)]
    return chosen, kind.draw(rng, bundles[chosen], bundles[(chosen + 1) % len(bundles)])


def forge_model(number, bundle):
    """Damage the flatbuffer and rewrite its hash, which the runtime cannot detect."""
    rng = random.Random(number)
    detail, content = rng.choice((_flip, _truncate, _zero, _change_number))(rng, bundle[MODEL])
    manifest = _rehashed(bundle, MODEL, content)
    return Damage("forged", detail, {MODEL: content, MANIFEST: manifest}, forged=True)


def _flip(rng, content):
    positions = [rng.randrange(len(content)) for _ in range(rng.choice((1, 1, 2, 8)))]
    changed = bytearray(content)
    for position in positions:
        changed[position] ^= 1 << rng.randrange(8)
    return f"bits flipped at {positions}", bytes(changed)


def _truncate(rng, content):
    length = rng.choice((0, 1, len(content) - 1, rng.randrange(len(content))))
    return f"cut to {length} bytes", content[:length]


def _zero(rng, content):
    start, count = rng.randrange(len(content)), rng.choice((1, 16, 4096))
    changed = bytearray(content)
    changed[start : start + count] = bytes(len(changed[start : start + count]))
    return f"{count} zeros from {start}", bytes(changed)


def _change_number(rng, content):
    """Change small numbers of the flatbuffer: offsets, sizes, options, rather than weights."""
    changed, details = bytearray(content), []
    while len(details) < rng.choice((1, 1, 1, 3)):
        position = rng.randrange(len(content) // 4) * 4
        number = int.from_bytes(content[position : position + 4], "little")
        if 0 < number < len(content) or number >= 2**32 - 4:
            near = (number - 1, number + 1, number - 4, number + 4, 2 * number, number << 16)
            far = (0, 1, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 4)
            new = rng.choice(near + far + (rng.randrange(len(content)),)) % 2**32
            changed[position : position + 4] = new.to_bytes(4, "little")
            details.append(f"{number} at {position} is {new}")
    return "; ".join(details), bytes(changed)


def _extend(rng, content):
    more = rng.choice((b"\0", b"\n", b" ", b"}", b"\xff" * 4096, content))
    return f"{len(more)} bytes appended: {more[:8]!r}", content + more


def change_content(rng, name, content):
    """Change the content of a file by its kind; return a description and the new content."""
    if name.endswith(".json"):
        change = rng.choice((_structure, _structure, _whole, *BYTE_CHANGES))
    elif name.endswith(".jsonl"):
        change = rng.choice((_change_line, _change_line, *BYTE_CHANGES))
    elif name.endswith(".xml"):
        change = rng.choice((_change_attribute, _change_attribute, *BYTE_CHANGES))
    elif zipfile.is_zipfile(io.BytesIO(content)):
        change = rng.choice((_rewrite_archive, _rewrite_archive, *BYTE_CHANGES))
    else:
        change = rng.choice(BYTE_CHANGES)
    return change(rng, content)


def _change_line(rng, content):
    lines = content.splitlines(keepends=True)
    number = rng.randrange(len(lines))
    detail, line = _structure(rng, lines[number])
    return f"line {number + 1}: {detail}", b"".join([*lines[:number], line, *lines[number + 1 :]])


def _change_attribute(rng, content):
    """Change a value of XML, such as the place of a cell."""
    value = rng.choice(list(re.finditer(rb'="([^"]*)"', content)))
    new = rng.choice((b"XFD1048576", b"IV1048576", b"ZZZZ99999999", b"A0", b"-1", b"9" * 30, b""))
    changed = content[: value.start(1)] + new + content[value.end(1) :]
    return f"{value[1][:40]!r} at {value.start(1)} is {new!r}", changed


def _rewrite_archive(rng, content):
    """Change a member of a zip archive, or how it is stored, with checksums that match."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(written, "w") as changed:
        chosen = rng.choice(archive.namelist())
        for name in archive.namelist():
            member, compression = archive.read(name), archive.getinfo(name).compress_type
            if name == chosen:
                detail, member = change_content(rng, name, member)
                compression = rng.choice((compression, compression, zipfile.ZIP_DEFLATED))
            changed.writestr(name, member, compression)
    return f"{chosen}: {detail}", written.getvalue()


def _bytes(name, change):
    def kind(rng, bundle, _):
        file = rng.choice(list(bundle))
        detail, content = change(rng, bundle[file])
        return Damage(name, f"{file}: {detail}", {file: content})

    return Kind(kind)


BYTE_CHANGES = (_flip, _truncate, _extend, _zero)


def _swap(rng, bundle, other):
    first, second = rng.sample(list(bundle), 2)
    if rng.random() < 0.5 and first in other:
        return Damage("files swapped", f"{first} of another bundle", {first: other[first]})
    changed = {first: bundle[second], second: bundle[first]}
    return Damage("files swapped", f"{first} and {second} exchanged", changed)


SPECIAL_FILES = {
    "missing": lambda _: None,
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "/dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "/dev/stdin": lambda path: path.symlink_to("/dev/stdin"),
    "/etc/passwd": lambda path: path.symlink_to("/etc/passwd"),
    "a hole of 8 GB": lambda path: (path.touch(), os.truncate(path, 1 << 33)),
    "not readable": lambda path: (path.touch(), path.chmod(0)),
}


def _special(rng, bundle, _):
    file, (description, make) = (
        rng.choice((*bundle, FOLDER)),
        rng.choice(list(SPECIAL_FILES.items())),
    )
    return Damage("not a regular file", f"{file} is {description}", {file: make})


# Placeholders for JSON text that json.dumps does not write.
RAW = {
    "@digits": "9" * 5000,
    "@overflow": "1e999",
    "@nan": "NaN",
    "@infinity": "-Infinity",
    "@deep": "[" * 50_000 + "]" * 50_000,
    "@deep-objects": '{"a":' * 990 + "0" + "}" * 990,
    "@lists": "[" + "[]," * 2_000_000 + "0]",
    "@words": "[" + ",".join(f'"{number:x}"' for number in range(900_000)) + "]",
    "@some-words": "[" + ",".join(f'"{number:x}"' for number in range(90_000)) + "]",
    "@numbers": "[" + "1.5," * 500_000 + "0]",
    "@surrogate": '"\\ud800"',
}
HOSTILE = (
    *(None, True, False, 0, -1, 1, 2, 1.5, -0.0, 1e308, 10**9, 2**31, 2**63, 65_536, 1024),
    *("", "x", "1", "\x1b[2J\x07", "\u202e", "\0", "a\nb", "../../../etc/passwd", "x" * 99_999),
    *([], {}, [[]], [0], ["a", "a"], {"a": None}, {"..": "..", "/": 1}, [2**31, -1], *RAW),
)
DUPLICATE = "@duplicate"  # suffix of a key that is written as a duplicate


def _dump(value):
    text = json.dumps(value, ensure_ascii=False).replace(DUPLICATE, "")
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text.encode("utf-8", "surrogatepass")


def _mutate(rng, value):
    """Change one item of a JSON value, at any depth, in place; return a description."""
    path, holder = [], value
    while True:
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        path.append(key)
        if not (isinstance(holder[key], (dict, list)) and holder[key] and rng.random() < 0.7):
            break
        holder = holder[key]
    change = rng.choice(("replaced",) * 6 + ("removed", "duplicated", "wrapped"))
    hostile = rng.choice(HOSTILE)
    if change == "replaced":
        holder[key] = hostile
        change = f"is {hostile!r:.30}"
    elif change == "removed":
        del holder[key]
    elif change == "wrapped":
        holder[key] = [holder[key]]
    elif isinstance(holder, dict):
        holder[f"{key}{DUPLICATE}"] = holder[key]
    else:
        holder.insert(key, holder[key])
    return f"{path} {change}"


def _rehashed(bundle, file, content):
    manifest = json.loads(bundle[MANIFEST])
    digest = hashlib.sha256(content).hexdigest()
    manifest["files"][file] = {"bytes": len(content), "sha256": digest}
    return json.dumps(manifest, ensure_ascii=False).encode()


def _binary(name, file, change):
    def kind(rng, bundle, _):
        detail, content = change(rng, bundle[file])
        changed = {file: content, MANIFEST: _rehashed(bundle, file, content)}
        return Damage(name, f"{file}: {detail}", changed, forged=True)

    return Kind(kind, file)


def _rewrite_index(rng, content):
    """Change the header, or write keys and ids that break the format's promises."""
    count = int.from_bytes(content[8:12], "little")
    keys, ids = content[12 : 12 + 4 * count], content[12 + 4 * count :]
    numbers = [rng.choice((0, 1, 2, count, count + 1, 2**16, 2**31, 2**32 - 1)) for _ in range(2)]
    replacements = {
        f"version {numbers[0]}": content[:4] + numbers[0].to_bytes(4, "little") + content[8:],
        f"count {numbers[1]}": content[:8] + numbers[1].to_bytes(4, "little") + content[12:],
        "keys reversed": content[:12] + keys[::-1] + ids,
        "keys equal": content[:12] + keys[:4] * count + ids,
        "ids 0": content[:12] + keys + bytes(2 * count),
        "ids 65,535": content[:12] + keys + b"\xff" * (2 * count),
        "ids exchanged": content[:12] + keys + ids[2:] + ids[:2],
        "no words": content[:8] + bytes(4),
        "noise": rng.randbytes(12 + 6 * rng.randrange(2_000)),
        "4 MB": content[:12] + bytes(4 << 20),
    }
    return rng.choice(list(replacements.items()))


def _flip_header(rng, content):
    detail, header = _flip(rng, content[:NGRAMS_HEADER])
    return detail, header + content[NGRAMS_HEADER:]


def _rewrite_ngrams(rng, content):
    """Change a number of the header, or what follows it."""
    start = BUCKETS_AT + 4 * rng.randrange(5)
    number = rng.choice((0, 1, 3, 1 << 10, 1 << 20, 1 << 31, (1 << 32) - 1))
    replaced = content[:start] + number.to_bytes(4, "little") + content[start + 4 :]
    head, tail = content[:NGRAMS_HEADER], content[NGRAMS_HEADER + 16 :]
    replacements = {
        f"{number} at {start}": replaced,
        "no weights": head,
        "infinite bias and scales": head + b"\0\0\x80\x7f" * 4 + tail,
        "NaN": head + b"\0\0\xc0\x7f" * 4 + tail,
        "huge scales": head + b"\xff\xff\x7f\x7f" * 4 + tail,
        "noise": head + rng.randbytes(len(content) - NGRAMS_HEADER),
        "twice": content * 2,
    }
    return rng.choice(list(replacements.items()))


def _json(name, file, change):
    def kind(rng, bundle, _):
        detail, content = change(rng, bundle[file])
        changed = {file: content}
        if file == VOCABULARY:
            changed[MANIFEST] = _rehashed(bundle, file, content)
        return Damage(name, f"{file}: {detail}", changed, forged=file == VOCABULARY)

    return Kind(kind)


def _structure(rng, content):
    value = json.loads(content)
    details = [_mutate(rng, value) for _ in range(rng.choice((1, 1, 1, 3)))]
    return "; ".join(details), _dump(value)


def _whole(rng, content):
    """Replace the whole file."""
    value = json.loads(content)
    replacements = {
        "with a byte order mark": b"\xef\xbb\xbf" + content,
        "in UTF-16": content.decode().encode("utf-16"),
        "twice": content * 2,
        "spread over lines": json.dumps(value, indent=4).encode(),
        "keys sorted, ASCII": json.dumps(value, sort_keys=True).encode(),
        "in quotes": json.dumps(content.decode()).encode(),
        "a million spaces": content + b" " * 1_000_000,
        "20 MB of spaces": content + b" " * 20_000_000,
        "open lists": b"[" * rng.randrange(1, 60_000),
        "open objects": b'{"a":' * rng.randrange(1, 60_000),
        "noise": rng.randbytes(2_000),
    }
    hostile = {f"{value!r:.30}": _dump(value) for value in (rng.choice(HOSTILE),)}
    return rng.choice(list({**replacements, **hostile}.items()))


def _named(rng, content):
    """Set a field that the runtime uses to a hostile value."""
    document = json.loads(content)
    if "tokens" in document:
        keys = ("max_tokens", "trailing_padding", "tokens", "labels", "format", "spelling")
        key = rng.choice(keys)
        changes = {**{f"{key} is {value!r:.30}": {key: value} for value in HOSTILE}}
        tokens, labels = document["tokens"], document["labels"]
        changes["ids beyond the table"] = {"tokens": [*tokens, *map(str, range(10**6, 10**6 + 9))]}
        changes["tokens cut"] = {"tokens": tokens[: rng.randrange(len(tokens))]}
        changes["labels with escape sequences"] = {"labels": ["\x1b]0;x\x07", *labels[1:]]}
        changes["another pattern"] = {"tokenizer": {"pattern": "(a+)+$"}}
        for value in HOSTILE:
            spelling = {"letters": "abcdeilnorst", "shortest": 3}
            changed = {**spelling, rng.choice(list(spelling)): value}
            changes[f"spelling {value!r:.30}"] = {"spelling": changed}
        changes["other letters"] = {"spelling": {"letters": "\U0001d41aßжét", "shortest": 3}}
    else:
        keys = ("files", "input", "goldens", "abstention", "format", "recipe", "text")
        changes = {
            f"{(key := rng.choice(keys))} is {value!r:.30}": {key: value} for value in HOSTILE
        }
        files, goldens = document["files"], document["goldens"]
        for value in HOSTILE:
            changes[f"length {value!r:.30}"] = {"input": {"length": value}}
            wrong = {**files[MODEL], rng.choice(("bytes", "sha256")): value}
            changes[f"model {value!r:.30}"] = {"files": {**files, MODEL: wrong}}
            changed = {**goldens[0], rng.choice(list(goldens[0])): value}
            changes[f"golden {value!r:.30}"] = {"goldens": [changed]}
        outside = {f"../../{name}": content for name, content in files.items()}
        changes["paths outside the folder"] = {"files": {**outside, **files}}
        changes["only paths outside the folder"] = {"files": outside}
        changes["ids out of range"] = {"goldens": [{**goldens[0], "ids": [10**9, -1]}]}
    detail, change = rng.choice(list(changes.items()))
    return detail, _dump({**document, **change})


KINDS = (
    _bytes("bits flipped", _flip),
    _bytes("truncated", _truncate),
    _bytes("extended", _extend),
    _bytes("zeroed", _zero),
    Kind(_swap),
    Kind(_special),
    _binary("index of hashed words, hash rewritten: bits flipped", HASHED_WORDS, _flip),
    _binary("index of hashed words, hash rewritten: another file", HASHED_WORDS, _rewrite_index),
    _binary("n-grams, hash rewritten: bits of the header flipped", NGRAMS, _flip_header),
    _binary("n-grams, hash rewritten: another file", NGRAMS, _rewrite_ngrams),
    _json("manifest: JSON changed at random", MANIFEST, _structure),
    _json("manifest: hostile values", MANIFEST, _named),
    _json("manifest: another file", MANIFEST, _whole),
    _json("vocabulary, hash rewritten: changed at random", VOCABULARY, _structure),
    _json("vocabulary, hash rewritten: hostile values", VOCABULARY, _named),
    _json("vocabulary, hash rewritten: another file", VOCABULARY, _whole),
)
