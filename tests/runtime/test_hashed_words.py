"""The index of hashed words: format, lookups and validation."""

import contextlib
import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite import BundleDamagedError, BundleVersionError
from glovelite.runtime.text.hashed_words import (
    BYTES_PER_WORD,
    HashedWords,
    build_hashed_words,
    parse_hashed_words,
)
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, UNKNOWN_ID, Vocabulary

WORDS = {"hello": 2, "café": 4, "it's": 3}
#: Header; CRC-32 of it's, hello and café in ascending order; their ids.
GOLDEN = bytes.fromhex("474c4857 01000000 03000000 fa355b27 86a61036 b542ad98 0300 0200 0400")
COLLISION = ("plumless", "buckeroo")  # the same CRC-32

words = st.dictionaries(st.text(max_size=12), st.integers(2, 99), max_size=200)


def test_crc_32_is_zlibs():
    assert crc32(b"hello") == 0x3610A686
    assert crc32(COLLISION[0].encode()) == crc32(COLLISION[1].encode())


@given(words)
def test_every_word_is_found_and_survives_the_file(entries):
    index = build_hashed_words(entries)
    parsed = parse_hashed_words(index.to_bytes(), 100, "index")
    assert parsed == index
    keys = {crc32(word.encode()): word for word in reversed(entries)}
    for word, id_ in entries.items():
        if keys[crc32(word.encode())] == word:
            assert parsed.find(word, 1) == id_
    assert len(index.to_bytes()) == 12 + BYTES_PER_WORD * len(index)


@given(words, st.text())
def test_other_words_get_the_default(entries, word):
    index = build_hashed_words(entries)
    if crc32(word.encode("utf-8", "surrogatepass")) not in map(crc32, map(str.encode, entries)):
        assert index.find(word, 1) == 1


def test_of_words_with_the_same_key_the_first_is_kept():
    index = build_hashed_words({COLLISION[0]: 5, COLLISION[1]: 6})
    assert len(index) == 1
    assert index.find(COLLISION[1], 1) == 5


def test_to_bytes_matches_the_golden_file():
    assert build_hashed_words(WORDS).to_bytes() == GOLDEN


def test_to_bytes_does_not_depend_on_the_order_of_words():
    turned = dict(reversed(WORDS.items()))
    assert build_hashed_words(WORDS).to_bytes() == build_hashed_words(turned).to_bytes()


def header(magic=b"GLHW", version=1, count=1):
    return struct.pack("<4sII", magic, version, count)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an index of hashed words"),
        (b"GLHW", "is not an index of hashed words"),
        (header(b"GLHX", 1, 0), "is not an index of hashed words"),
        (header(version=0) + bytes(6), "has format 0"),
        (header() + bytes(5), "has 17 bytes, 1 words should have 18"),
        (header() + bytes(7), "has 19 bytes, 1 words should have 18"),
        (header(count=2**32 - 1), "words should have 25769803782"),
        (header(count=2) + struct.pack("<IIHH", 7, 7, 2, 2), "keys are not strictly ascending"),
        (header(count=2) + struct.pack("<IIHH", 8, 7, 2, 2), "keys are not strictly ascending"),
        (header() + struct.pack("<IH", 7, 1), "an id is not from 2 to 99"),
        (header() + struct.pack("<IH", 7, 100), "an id is not from 2 to 99"),
    ],
)
def test_parse_rejects_a_damaged_index(content, message):
    with pytest.raises(BundleDamagedError, match=f"index.bin.*{message}"):
        parse_hashed_words(content, 100, "index.bin")


def test_parse_reports_a_newer_format():
    with pytest.raises(BundleVersionError, match=r"index.bin has format 2.*update glovelite"):
        parse_hashed_words(header(version=2), 100, "index.bin")


@given(st.binary(max_size=60) | st.binary(max_size=60).map(header().__add__))
def test_parse_raises_only_its_own_errors(content):
    with contextlib.suppress(BundleDamagedError, BundleVersionError):
        assert isinstance(parse_hashed_words(content, 100, "index"), HashedWords)


@pytest.fixture(scope="module")
def vocabulary():
    tokens = (*SPECIAL_TOKENS, "great", "film")
    hashed = build_hashed_words({"superb": 2, "movie": 3, "film": 2})
    return Vocabulary(tokens, ("no", "yes"), 4, 2, hashed)


def test_encode_uses_the_index_for_words_that_are_not_listed(vocabulary):
    encoded = vocabulary.encode("Superb zyx film movie")
    assert encoded.ids == [2, UNKNOWN_ID, 3, 3]
    assert encoded.known == 0.75


def test_stand_in_names_the_listed_word(vocabulary):
    assert vocabulary.stand_in("superb", 2) == "great"
    assert vocabulary.stand_in("film", 3) is None
    assert vocabulary.stand_in("zyx", UNKNOWN_ID) is None
