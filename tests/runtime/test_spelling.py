"""The nearest known spelling of a misspelt word."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite import BundleDamagedError
from glovelite.runtime.text.hashed_words import build_hashed_words, parse_hashed_words
from glovelite.runtime.text.older_tokenizer import OLDER_WORDS
from glovelite.runtime.text.spelling import (
    HASHED_COST,
    MAX_CACHED,
    MAX_COST,
    MAX_LETTERS,
    Edit,
    NearestSpelling,
    Spelling,
    edit_cost,
)
from glovelite.runtime.text.vocabulary import (
    MAX_CORRECTIONS,
    SPECIAL_TOKENS,
    UNKNOWN_ID,
    Vocabulary,
    parse_vocabulary,
)
from tests.helpers import DATA, read_json_lines

CONFORMANCE = DATA / "conformance"
LATIN = "abcdefghijklmnopqrstuvwxyz"
LISTED = (*SPECIAL_TOKENS, "the", "great", "form", "movie", "acting", "from", "naïve", "greet")
HASHED = build_hashed_words({"superbly": 3, "groat": 5})
VOCABULARY = Vocabulary(LISTED, ("no", "yes"), 80, 2, HASHED, spelling=Spelling(LATIN, 4))
words = st.text("abcß日", min_size=1, max_size=6)


def list_edits(word, letters):
    """Return every edit of a word."""
    later = range(1, len(word))
    deletions = [Edit(at, 1, "") for at in later]
    exchanges = [Edit(at - 1, 2, word[at] + word[at - 1]) for at in later]
    replacements = [Edit(at, 1, letter) for at in later for letter in letters]
    insertions = [Edit(at, 0, letter) for at in range(1, len(word) + 1) for letter in letters]
    return deletions + exchanges + replacements + insertions


def find_nearest(word, spelling, listed, hashed):
    """The specification: the id of the cheapest candidate, or None."""
    if not spelling.shortest <= len(word) <= MAX_LETTERS or set(word) - set(spelling.letters):
        return None
    candidates = []
    for edit in list_edits(word, spelling.letters):
        candidate = edit.apply(word)
        if candidate in listed:
            cost, id_ = listed[candidate].bit_length(), listed[candidate]
        else:
            cost, id_ = HASHED_COST, hashed.find(candidate, 0)
        cost += edit_cost(word, edit)
        if id_ and cost <= MAX_COST:
            candidates.append((cost, id_))
    return min(candidates)[1] if candidates else None


@given(st.lists(words, unique=True), st.lists(words, unique=True), st.lists(words), st.data())
def test_find_agrees_with_the_specification(listed, hashed, tokens, data):
    ids = {word: id_ for id_, word in enumerate(listed, 2)}
    others = build_hashed_words({word: 2 + id_ % 7 for id_, word in enumerate(hashed)})
    spelling = Spelling(data.draw(st.sampled_from(["abc", "abcß", "cba日ß"])), 3)
    nearest = NearestSpelling(spelling, ids, others)
    for token in tokens:
        if token not in ids and others.find(token, 0) == 0:
            assert nearest.find(token, None) == find_nearest(token, spelling, ids, others)


def test_texts_have_the_ids_of_the_conformance_file():
    hashed_words = (CONFORMANCE / "spelling_hashed_words.bin").read_bytes()
    vocabulary = parse_vocabulary((CONFORMANCE / "spelling.json").read_text("utf-8"))
    hashed = parse_hashed_words(hashed_words, len(vocabulary.tokens), "spelling_hashed_words.bin")
    vocabulary = replace(vocabulary, hashed=hashed)
    for record in read_json_lines(CONFORMANCE / "spelling.jsonl"):
        encoded = vocabulary.encode(record["text"])
        assert (encoded.ids, encoded.corrected) == (record["ids"], record["corrected"])


@pytest.mark.parametrize(
    ("token", "nearest"),
    [
        ("moive", "movie"),  # exchanged
        ("movvie", "movie"),  # doubled
        ("moie", "movie"),  # left out
        ("mobie", "movie"),  # the neighbor on the keyboard
        ("omvie", "movie"),  # the first two letters
        ("fomr", "form"),
        ("grest", "great"),  # nearer on the keyboard than "greet"
        ("greit", "great"),  # of equal edits, the more frequent word
        ("groaat", "movie"),  # hashed: the id of a listed word
        ("superbky", "great"),
        ("superbqy", None),  # an unlikely edit, of a rare word
        ("ovie", None),  # another first letter
        ("novie", None),
        ("mov", None),  # too short
        ("moives", None),  # two edits
        ("actinq1", None),  # not of letters alone
        ("nave", None),  # "naïve" is not spelt with the letters
        ("x" * (MAX_LETTERS + 1), None),
    ],
)
def test_correct_examples(token, nearest):
    assert VOCABULARY.correct(token) == (LISTED.index(nearest) if nearest else UNKNOWN_ID)


@pytest.mark.parametrize(
    ("token", "edit", "cost"),
    [
        ("moive", Edit(1, 2, "iv"), 0),
        ("omvie", Edit(0, 2, "mo"), 0),
        ("moie", Edit(2, 0, "v"), 0),
        ("movvie", Edit(3, 1, ""), 0),
        ("movxie", Edit(3, 1, ""), 5),
        ("mobie", Edit(2, 1, "v"), 2),
        ("mavie", Edit(1, 1, "o"), 2),
        ("moxie", Edit(2, 1, "v"), 5),
    ],
)
def test_edit_cost_examples(token, edit, cost):
    assert edit_cost(token, edit) == cost


def test_encode_corrects_what_is_neither_listed_nor_hashed():
    encoded = VOCABULARY.encode("The graet moive is superbly acitng!")
    assert encoded.ids == [2, 3, 5, 1, 3, 6]
    assert encoded.corrected == 3
    without = replace(VOCABULARY, spelling=None).encode("The graet moive is superbly acitng!")
    assert (without.ids, without.corrected) == ([2, 1, 1, 1, 3, 1], 0)


def test_a_corrected_word_is_not_known():
    assert VOCABULARY.encode("the moive").known == VOCABULARY.encode("the zyxwv").known == 0.5


def test_encode_takes_a_known_part_before_the_nearest_spelling():
    vocabulary = replace(VOCABULARY, tokens=(*LISTED, "don't"), spelling=Spelling(f"{LATIN}'", 4))
    assert vocabulary.encode("don't do'nt dont the'dont").ids == [10, 10, 10, 2]


def test_encode_corrects_a_limited_number_of_words():
    ids = VOCABULARY.encode("moive " * (MAX_CORRECTIONS + 2) + "movie").ids
    assert ids == [5] * MAX_CORRECTIONS + [1, 1, 5]


def test_correct_forgets_words_that_are_not_repeated():
    words = [f"{a}{b}{c}vie" for a in LATIN for b in LATIN for c in LATIN[:4]]
    assert len(words) > 2 * MAX_CACHED
    found = [*map(VOCABULARY.correct, words)]
    assert found == [*map(VOCABULARY.correct, words)]
    assert len(VOCABULARY._nearest._found) <= MAX_CACHED


def test_the_vocabulary_file_states_the_spelling():
    content = json.loads(VOCABULARY.to_json())
    assert content["spelling"] == {"letters": LATIN, "shortest": 4}
    assert replace(parse_vocabulary(VOCABULARY.to_json()), hashed=HASHED) == VOCABULARY


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        (None, "'spelling' should be an object"),
        ({"letters": "", "shortest": 4}, "letters' should be 1 to 64 different letters"),
        ({"letters": "aa", "shortest": 4}, "letters' should be 1 to 64 different letters"),
        ({"letters": [*LATIN], "shortest": 4}, "letters' should be 1 to 64 different letters"),
        ({"letters": "ab\ud800", "shortest": 4}, "half a letter"),
        ({"letters": LATIN, "shortest": True}, "shortest' should be an integer from 3 to 24"),
        ({"letters": LATIN, "shortest": 2}, "shortest' should be an integer from 3 to 24"),
        ({"letters": LATIN}, "shortest' should be an integer from 3 to 24"),
    ],
)
def test_parse_vocabulary_refuses_a_damaged_spelling(spelling, message):
    content = {**json.loads(VOCABULARY.to_json()), "spelling": spelling}
    with pytest.raises(BundleDamagedError, match=message):
        parse_vocabulary(json.dumps(content))


def test_parse_vocabulary_refuses_spelling_in_older_formats():
    older = replace(VOCABULARY, tokenizer=OLDER_WORDS)
    with pytest.raises(BundleDamagedError, match="'spelling' should be in format 4 alone"):
        parse_vocabulary(older.to_json())
