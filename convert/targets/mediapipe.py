r"""Adds what MediaPipe's TextClassifier needs to load a model on Android, iOS, Web and in Python.

It needs a `TFLITE_METADATA` buffer that describes tokenizer, vocabulary and labels, and their files
appended to the model as an uncompressed zip. The metadata is a flatbuffer of TensorFlow's
metadata_schema.fbs; the field slots below are from that schema.

MediaPipe splits text at the matches of a pattern and looks up the pieces unchanged. It neither
lowercases nor composes accents, but several pieces may share an index, so each token is listed in
the spellings that are common in text. RE2's `\w` is ASCII, hence the Unicode classes.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import flatbuffers

from glovelite.runtime.errors import ConversionError
from glovelite.runtime.text.vocabulary import PADDING_ID, SPECIAL_TOKENS, UNKNOWN_ID, Vocabulary

from ..tflite.tflite_file import repack

_WORD = r"\p{L}\p{N}\p{M}_"  # marks: decomposed accents
#: Where MediaPipe splits: at anything that is not a word, with adjacent apostrophes; at several
#: apostrophes; at apostrophes before the first word and after the last.
DELIMITERS = rf"['’]*[^{_WORD}'’][^{_WORD}]*|['’]{{2,}}|^['’]+|['’]+$"
#: The same for a string of character classes: W is a character of a word.
_SPLIT = re.compile(r"'*[^W'][^W]*|'{2,}|^'+|'+$")
#: The share of dev tokens that MediaPipe may see differently.
MAX_DIFFERING = 0.1
MEDIAPIPE_VOCABULARY_FILE, LABEL_FILE = "vocabulary.txt", "labels.txt"
IDENTIFIER = b"M001"
AXIS_LABELS, VOCABULARY_TYPE, REGEX_TOKENIZER = 2, 5, 6  # AssociatedFileType, ProcessUnitOptions
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # fixed, so that the same run gives the same bytes


def spell(token: str) -> Iterator[str]:
    """Yield the spellings of a lowercase token that are common in text, the token itself first.

    `"don't"` -> don't, Don't, DON'T, don’t, Don’t, DON’T; `"café"` also with a decomposed accent.
    """
    cased = [token, token[:1].upper() + token[1:], token.upper()]
    stem, apostrophe, ending = token.rpartition("'")
    if apostrophe:
        cased.append(stem.upper() + apostrophe + ending)  # DVD's
    if token[1:2] == "'":
        cased.append(token.title())  # O'Brien
    if token.startswith("mc"):
        cased.append("Mc" + token[2:].capitalize())  # McCoy
    for form in ("NFC", "NFD"):
        for variant in cased:
            spelling = unicodedata.normalize(form, variant)
            yield spelling
            yield spelling.replace("'", "’")


def list_spellings(vocabulary: Vocabulary, hashed_tokens: Sequence[str] = ()) -> str:
    """Return MediaPipe's vocabulary file: lines of a spelling and its index.

    `<PAD>` and `<UNKNOWN>` are included. A spelling is listed once, and only if our tokenizer turns
    it into that token.
    """
    indices = {SPECIAL_TOKENS[0]: PADDING_ID, SPECIAL_TOKENS[1]: UNKNOWN_ID}
    for token in (*vocabulary.tokens[len(SPECIAL_TOKENS) :], *hashed_tokens):
        index = vocabulary.token_id(token)
        for spelling in spell(token):
            if vocabulary.tokenizer.tokenize(spelling) == [token]:
                indices.setdefault(spelling, index)
    return "".join(f"{spelling} {index}\n" for spelling, index in indices.items())


def split_text(text: str) -> list[str]:
    """Split text as MediaPipe's tokenizer does: `"It's _me_"` -> `["It's", "_me_"]`."""
    classes = "".join(map(_class_of, text))
    ends = [*((match.start(), match.end()) for match in _SPLIT.finditer(classes)), (len(text),) * 2]
    pieces, start = [], 0
    for end, following in ends:
        pieces.append(text[start:end])
        start = following
    return [piece for piece in pieces if piece]


@lru_cache(1 << 16)
def _class_of(character: str) -> str:
    if character in "'’":
        return "'"
    return "W" if character == "_" or unicodedata.category(character)[0] in "LNM" else " "


def share_differing(vocabulary: Vocabulary, texts: Iterable[str]) -> float:
    """Return the share of tokens that MediaPipe reads as another id or not at all, 0 to 1.

    Args:
        vocabulary: of a run, which lists all its words; those in a spelling that `spell` does not
            yield are unknown to MediaPipe.
    """
    listed, ids = set(vocabulary.tokens), dict[str, int]()

    def find(piece: str) -> int:
        if piece not in ids:
            tokens = vocabulary.tokenizer.tokenize(piece)
            known = len(tokens) == 1 and tokens[0] in listed and piece in spell(tokens[0])
            ids[piece] = vocabulary.token_id(tokens[0]) if known else UNKNOWN_ID
        return ids[piece]

    count = differing = 0
    for text in texts:
        ours = vocabulary.encode(text).ids
        count += len(ours)
        differing += (Counter(ours) - Counter(map(find, split_text(text)))).total()
    return differing / count if count else 0.0


def add_metadata(
    flatbuffer: bytes, vocabulary: Vocabulary, hashed_tokens: Sequence[str] = ()
) -> bytes:
    """Add MediaPipe's metadata to a model, which any TFLite interpreter still loads.

    The model adds its own padding and outputs a probability per label. The metadata holds no
    thresholds, because MediaPipe has none of single labels. Hashed words are listed like others.

    Raises:
        ConversionError: MediaPipe does not support the labels or the tokens.
    """
    check_support(vocabulary)
    model = repack(flatbuffer, vocabulary.max_tokens, _metadata(vocabulary))
    content = io.BytesIO(model)
    with zipfile.ZipFile(content, "a") as archive:
        for name, text in (
            (MEDIAPIPE_VOCABULARY_FILE, list_spellings(vocabulary, hashed_tokens)),
            (LABEL_FILE, "".join(f"{label}\n" for label in vocabulary.labels)),
        ):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), text.encode("utf-8"))
    return content.getvalue()


def check_support(vocabulary: Vocabulary, dev_texts: Sequence[str] = ()) -> float:
    """Return the share of the tokens of dev text that MediaPipe sees differently, 0 to 1.

    Raises:
        ConversionError: it is more than `MAX_DIFFERING`, or MediaPipe does not support the labels
            or the punctuation of the vocabulary.
    """
    if vocabulary.tokenizer.punctuation:
        raise ConversionError(
            "--mediapipe: the run was trained with --punctuation, but MediaPipe's tokenizer drops "
            "punctuation and emoji: export without --mediapipe, or train without --punctuation"
        )
    if vocabulary.is_of_pieces:
        raise ConversionError(
            "--mediapipe: the tokens of the run are pieces of words, which MediaPipe cannot find: "
            "train with word vectors, or with --pieces 0 and --no-ngrams"
        )
    for label in vocabulary.labels:
        if not label.strip() or len(label.splitlines()) != 1:
            raise ConversionError(
                f"MediaPipe does not support the label {label!r}: rename it in the training data"
            )
    share = share_differing(vocabulary, dev_texts)
    if share > MAX_DIFFERING:
        raise ConversionError(
            f"--mediapipe: MediaPipe splits text otherwise and would see {share:.1%} of the dev "
            f"tokens differently, at most {MAX_DIFFERING:.0%} are expected: export without "
            "--mediapipe"
        )
    return share


def _metadata(vocabulary: Vocabulary) -> bytes:
    """Describe a text classifier: one input split by a pattern, one output with labels."""
    builder = flatbuffers.Builder(1024)
    vocabulary_file = _file(builder, MEDIAPIPE_VOCABULARY_FILE, VOCABULARY_TYPE)
    options = _table(
        builder,
        2,
        {0: builder.CreateString(DELIMITERS), 1: _vector(builder, [vocabulary_file])},
    )
    unit = _table(builder, 2, {1: options}, {0: REGEX_TOKENIZER})
    names = [builder.CreateString("ids"), builder.CreateString("probabilities")]
    input_ = _table(builder, 7, {0: names[0], 4: _vector(builder, [unit])})
    labels = _vector(builder, [_file(builder, LABEL_FILE, AXIS_LABELS)])
    output = _table(builder, 7, {0: names[1], 6: labels})
    graph = _table(builder, 10, {2: _vector(builder, [input_]), 3: _vector(builder, [output])})
    name = builder.CreateString("glovelite text classifier: " + ", ".join(vocabulary.labels))
    version = builder.CreateString("1.2.1")
    model = _table(builder, 8, {0: name, 3: _vector(builder, [graph]), 7: version})
    builder.Finish(model, IDENTIFIER)
    return bytes(builder.Output())


def _file(builder: flatbuffers.Builder, name: str, kind: int) -> int:
    return _table(builder, 5, {0: builder.CreateString(name)}, {2: kind})


def _table(
    builder: flatbuffers.Builder,
    fields: int,
    offsets: dict[int, int],
    numbers: dict[int, int] | None = None,
) -> int:
    """Write a table: slot -> offset of its value, or number of one byte."""
    builder.StartObject(fields)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in (numbers or {}).items():
        builder.PrependInt8Slot(slot, number, 0)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
