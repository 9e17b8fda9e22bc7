"""The model holds what MediaPipe needs and still runs in our runtime."""

import io
import json
import re
import sys
import unicodedata
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from glovelite.convert.targets.mediapipe import (
    DELIMITERS,
    add_metadata,
    check_support,
    list_spellings,
    share_differing,
    spell,
    split_text,
)
from glovelite.convert.tflite.tflite_file import repack
from glovelite.convert.verify.device import run_on_device
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.errors import ConversionError
from glovelite.runtime.text.hashed_words import build_hashed_words
from glovelite.runtime.text.tokenizer import WORDS, WORDS_AND_PUNCTUATION
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.helpers import convert

MARKS = "".join(
    chr(code) for code in range(sys.maxunicode) if unicodedata.category(chr(code)).startswith("M")
)
#: RE2's classes in Python syntax: `\w` is letters, numbers and the underscore there.
PATTERN = re.compile("(" + DELIMITERS.replace(r"\p{L}\p{N}\p{M}_", r"\w" + re.escape(MARKS)) + ")")


def split_at_delimiters(text):
    """Split text as MediaPipe does: repeatedly, at the first delimiter of the rest."""
    tokens, rest = [], text
    while match := PATTERN.search(rest):
        tokens.append(rest[: match.start()])
        rest = rest[match.end() :]
    return [token for token in (*tokens, rest) if token]


texts = st.text(st.sampled_from("abÀé'’\"“ .,-_9İßΣ\n")) | st.text()


@given(texts)
@example("a.Σ")
def test_text_is_split_at_the_delimiters_of_the_metadata(text):
    assert split_text(text) == split_at_delimiters(text)


@given(st.text(st.sampled_from("abÀé'’\"“ .,-9ßΣ\n")))
def test_mediapipe_splits_where_our_tokenizer_splits(text):
    """Except at underscores, invisible characters and in scripts without spaces."""
    theirs = [WORDS.normalize(token) for token in split_text(text)]
    assert theirs == WORDS.tokenize(text)


def test_the_share_counts_tokens_that_mediapipe_does_not_find():
    tokens = (*SPECIAL_TOKENS, "the", "film", "日", "本", "amande")
    vocabulary = Vocabulary(tokens, ("a", "b"), 9, 2)
    assert share_differing(vocabulary, ["The film.", "the FILM"]) == 0
    assert share_differing(vocabulary, ["The fiLm"]) == 1 / 2
    assert share_differing(vocabulary, ["the _film_", "the film"]) == 1 / 4
    assert share_differing(vocabulary, ["日本", "l'amande"]) == 1
    with pytest.raises(ConversionError, match=r"would see 100\.0% of the dev tokens differently"):
        check_support(vocabulary, ["日本"])


@given(st.from_regex(r"[a-zéü]{1,8}('[a-z]{1,3})?", fullmatch=True))
def test_spellings_are_one_token_in_both_tokenizers(token):
    for spelling in spell(token):
        assert WORDS.tokenize(spelling) == [unicodedata.normalize("NFC", token)]
        assert split_text(spelling) == [spelling]


def test_spell_lists_common_spellings():
    assert {"don't", "don’t", "Don't", "Don’t", "DON'T", "DON’T"} <= set(spell("don't"))
    assert {"DVD's", "DVD’s"} <= set(spell("dvd's"))
    assert "McCoy" in set(spell("mccoy"))
    assert "O'Brien" in set(spell("o'brien"))
    assert "Cafe\u0301" in set(spell("café"))


def test_list_spellings_gives_each_spelling_one_index():
    tokens = (*SPECIAL_TOKENS, "the", "café", "cafe", "it's", "straße", "strasse", "i", "ı")
    lines = list_spellings(Vocabulary(tokens, ("a", "b"), 9, 2)).splitlines()
    pairs = [line.split(" ") for line in lines]
    assert all(len(pair) == 2 for pair in pairs)
    spellings = [spelling for spelling, _ in pairs]
    assert len(set(spellings)) == len(spellings)
    for spelling, index in pairs[2:]:
        assert WORDS.tokenize(spelling) == [tokens[int(index)]]
    assert pairs[:2] == [["<PAD>", "0"], ["<UNKNOWN>", "1"]]


def test_list_spellings_gives_hashed_words_the_index_of_their_stand_in():
    hashed = build_hashed_words({"superb": 2, "hasn't": 3})
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "great", "not"), ("a", "b"), 9, 2, hashed)
    lines = list_spellings(vocabulary, ("superb", "hasn't")).splitlines()
    assert {"great 2", "Superb 2", "superb 2", "hasn’t 3", "not 3"} <= set(lines)


@pytest.fixture(scope="module")
def pair(exported, run_folder, tmp_path_factory):
    media = tmp_path_factory.mktemp("mediapipe") / "media"
    options = ("--layout", "folded", "--mediapipe", "--json")
    done = convert("export", run_folder, "--out", media, *options)
    plain = exported("glosses", "--layout", "folded", "--no-spelling")
    return plain, media, json.loads(done.stdout)


def test_vocabulary_and_labels_are_stored_after_the_model(pair):
    _, media, answer = pair
    content = (media / "model.tflite").read_bytes()
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert {entry.filename for entry in archive.infolist()} == {"vocabulary.txt", "labels.txt"}
    assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
    assert archive.read("labels.txt").decode().split() == ["animal", "food", "person", "plant"]
    assert content.find(b"M001") > 0
    assert answer["plain_bytes"] < len(content)


def test_our_runtime_predicts_the_same_with_metadata(pair):
    plain, media, _ = pair
    texts = ["A small WILD bird", "", "don’t eat it", "word " * 300]
    assert np.allclose(run_on_device(plain, texts), run_on_device(media, texts), atol=1e-6)


@pytest.mark.slow
def test_export_reports_both_sizes(run_folder, tmp_path):
    done = convert("export", run_folder, "--out", tmp_path / "b", "--mediapipe")
    assert re.search(r"of these, [\d,]+ for MediaPipe: [\d,]+ bytes without", done.stdout)


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(pair, run_folder, tmp_path):
    _, media, _ = pair
    options = ("--layout", "folded", "--mediapipe")
    convert("export", run_folder, "--out", tmp_path / "again", *options)
    for name in ("model.tflite", "manifest.json"):
        assert (tmp_path / "again" / name).read_bytes() == (media / name).read_bytes()


def test_add_metadata_rejects_a_label_of_two_lines(bundle):
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "a"), ("fine", "two\nlines"), 9, 2)
    with pytest.raises(ConversionError, match="does not support the label"):
        add_metadata(read_bundle(bundle).model, vocabulary)


def test_repack_aligns_constants_to_16_bytes(bundle):
    from glovelite.convert.tflite.tflite_file import schema

    content = read_bundle(bundle).model
    model = schema().Model.GetRootAsModel(content, 0)
    starts = [
        buffer._tab.Vector(buffer._tab.Offset(4))
        for buffer in map(model.Buffers, range(model.BuffersLength()))
        if buffer.DataLength()
    ]
    assert len(starts) > 3
    assert all(start % 16 == 0 for start in starts)
    assert repack(repack(content)) == repack(content)


def test_add_metadata_rejects_punctuation_as_tokens(bundle):
    vocabulary = Vocabulary(
        (*SPECIAL_TOKENS, "a", "!"), ("no", "yes"), 9, 2, tokenizer=WORDS_AND_PUNCTUATION
    )
    with pytest.raises(ConversionError, match="export without --mediapipe"):
        add_metadata((bundle / "model.tflite").read_bytes(), vocabulary)
