"""Writes the conformance files of the tokenizer, the vocabulary lookup and the n-grams.

    python -m tools.conformance

Every implementation (`runtime/text`, the page, ports) must find the same tokens and ids, and the
same number of n-grams with the same sums of weights. The nearest spelling has a vocabulary and
texts of its own. Run it when the specification changes, and read the difference.
"""

import json
import random
import unicodedata
from collections import defaultdict
from itertools import islice
from pathlib import Path

import numpy as np

from glovelite.runtime.ngrams import NgramWeights
from glovelite.runtime.text.hashed_words import build_hashed_words
from glovelite.runtime.text.pieces import make_pieces
from glovelite.runtime.text.spelling import MAX_LETTERS, Spelling
from glovelite.runtime.text.tokenizer import WORDS, WORDS_AND_PUNCTUATION, read_ranges
from glovelite.runtime.text.unicode_table import LETTERS, MARKS, UNSPACED
from glovelite.runtime.text.vocabulary import MAX_CORRECTIONS, SPECIAL_TOKENS, Vocabulary

FOLDER = Path(__file__).parent.parent / "tests" / "data" / "conformance"
TEXTS_FILE, VOCABULARY_FILE, HASHED_WORDS_FILE = "texts.jsonl", "vocab.json", "hashed_words.bin"
PIECES_FILE = "pieces.json"
SPELLING_TEXTS_FILE, SPELLING_VOCABULARY_FILE, SPELLING_HASHED_WORDS_FILE = (
    "spelling.jsonl",
    "spelling.json",
    "spelling_hashed_words.bin",
)
#: Of one to four bytes in UTF-8, in no order; few, so that many words are near each other.
SPELLING_LETTERS = "dace'oiséжя한\U00010428"
SPELLING_WORDS, SPELLING_TEXTS = 400, 300
NGRAMS_FILE, NGRAM_BUCKETS, NGRAM_CHARACTERS = "ngrams.bin", 1 << 12, 300
SCRIPT_LETTERS, SCRIPT_MARKS = 12, 6

LISTED = (
    *("the", "film's", "amico", "amande", "don't", "dell", "don", "été", "i", "iyi", "bir"),
    *("दिन", "दान", "ไ", "ท", "ย", "ดี", "日", "本", "語", "の", "é", "straße", "σασ", "привет"),
    *("мир", "שלום", "می\u200cخواهم", "rock", "n", "1", "3d", "café", "snake_case", "home", "amic"),
)
PIECES = (
    *("▁", "▁the", "▁t", "h", "e", "he", "▁fi", "lm", "film", "'s", "!", "!!", "▁don", "'t"),
    *(
        "▁日",
        "本語",
        "日本",
        "の",
        "今天",
        "天气",
        "다",
        "▁안녕",
        "하세요",
        "ไท",
        "ย",
        "ดี",
        "ि",
        "▁दि",
        "न",
    ),
    *(
        "i",
        "y",
        "▁i",
        "é",
        "▁é",
        "t",
        "té",
        "😂",
        "👍",
        "▁👍",
        "a",
        "b",
        "c",
        "▁a",
        "▁abc",
        "𠀀",
        "𠮷",
    ),
)
HASHED = ("amande2", "l'eau", "giorno", "día", "ありがとう", "안녕하세요", "ਸਤ", "oggi")

SENTENCES = {
    "English": "The film's GREAT, don't miss it! It’s rock'n'roll: 10/10, U.S. & 3D",
    "apostrophes": "''tis' o' 'a' ’b’ a''b a'’b '_a_' rock’n’roll l'd'a",
    "elision": "L'amande, l’amande, dell'amico, d'amande2, l'eau, c'giorno, qu'oggi, l'inconnu",
    "Catalan": "L'home i l’amic d'un altre home, s'inconegut",
    "Breton": "c'hoar ec'h amic",
    "equal parts": "don'été été'don the'iyi oggi'bir",
    "underscores": "_emphasis_ __init__ snake_case a__b _ ___ _it's_ it_'s @user_name é_é _é_",
    "German": "Schöne Straße, ÄRGER; ẞ STRASSE O\u0308l",
    "French": "Été, déjà-vu, cœur, e\u0301te\u0301, ŒUVRE",
    "Turkish": "İyi bir film, IŞIK ışık i\u0307yi I\u0307yi İ\u0301 I\u0307\u0323",
    "Lithuanian": "i\u0307\u0301 J\u0307 Į\u0307",
    "composition after lower case": "J\u030c H\u0331 T\u0308 W\u030a Y\u030a",
    "Greek": "ΣΑΣ ὈΔΥΣΣΕΎΣ Άνθρωπος ᾼ",
    "Russian": "Привет, МИР! ёлка е\u0308лка",
    "Ukrainian": "п’ять п'ять її",
    "Vietnamese": "Tiếng Việt, Tie\u0302\u0301ng Vie\u0323\u0302t",
    "Yoruba": "Ẹ káàbọ̀ sí ọjà, E\u0323 ka\u0301a\u0300bo\u0323\u0300",
    "Arabic": "السَّلَامُ عَلَيْكُمْ، كيف الحال؟ ٣٤",
    "Persian": "می‌خواهم کتاب‌ها را بخوانم",
    "Hebrew": "שָׁלוֹם עוֹלָם, צה״ל",
    "Hindi": "आज घर में दिन, आज घर में दान। क़ क\u093c",
    "Bengali": "বাংলা ভাষা ড় ড\u09bc",
    "Tamil": "தமிழ் மொழி வணக்கம்",
    "Telugu": "తెలుగు భాష",
    "Kannada": "ಕನ್ನಡ ಭಾಷೆ",
    "Malayalam": "മലയാളം അവന്‍ ന്\u200d",
    "Gujarati": "ગુજરાતી ભાષા",
    "Punjabi": "ਸਤ ਸ੍ਰੀ ਅਕਾਲ",
    "Sinhala": "ශ්‍රී ලංකාව",
    "Tibetan": "བོད་སྐད་ ཡིན།",
    "Amharic": "ሰላም ዓለም።",
    "Georgian": "გამარჯობა ᲒᲐᲛᲐᲠᲯᲝᲑᲐ",
    "Armenian": "Բարև աշխարհ",
    "Cherokee": "ᏣᎳᎩ ꭰꮳꮅ",
    "Korean": "안녕하세요, \u1112\u1161\u11ab국어 3개",
    "Japanese": "日本語のテキスト、ﾃｷｽﾄ！ が か\u3099 ー 々 iPhone用",
    "Chinese": "今天天气很好，𠀀𠮷 GPT4模型 第3章",
    "Thai": "สวัสดี ทำได้ ที่นี่ ก\u200bข ก \u200b ข ๑๒ A\u200bก",
    "Lao": "ສະບາຍດີ ນ\u0ecd\u0eb2",
    "Khmer": "សួស្តី\u200bពិភពលោក",
    "Burmese": "မင်္ဂလာပါ ကမ္ဘာ",
    "Adlam": "𞤀𞤣𞤤𞤢𞤥 𞤢𞤣𞤤𞤢𞤥",
    "mathematical letters": "𝐀𝐛 ℌ ２ ² ½ Ⅷ ①",
    "invisible characters": "in\u00advisi\u200bble wo\u2060rd \ufeffbom ri\u200eght a\u034fb",
    "variation selectors": "x\ufe0fy 葛\U000e0101 ᠠ\u180b",
    "joiners": "a\u200d \u200da a\u200c\u200db \u200c 👩\u200d🌾",
    "lone marks": "\u0301 \u0301a a \u0301b \u093f 1\ufe0f\u20e3 a\u20dd",
    "emoji": "I❤you ❤\ufe0f 👍🏽ok 👩🏽\u200d🌾 🇫🇷 🤷🏽\u200d♀\ufe0f ♁ 😂😂 ⭐★☺ ❶❷ © 🫠",
    "punctuation": "no!!! what?! ¿que？ don'!t a?b — … “quoted” <br />tag",
    "newer than the version": "a\u0870b \U00011f02\U00011f34 x\U0001e4d0 \U00016d63\U00016d67",
    "not characters": "a\0b\ud800c\udfff \uffff \ue000 \U0010ffff \x1f\x85",
    "spaces": "a\u00a0b\u3000c\u2028d\te\u1680f\u180eg",
    "compatibility forms": "ﬁn ﷺ Å Å Ω 가",
    "many marks": "a" + "\u0301" * 1500 + " b" + "\u0323\u0301" * 700 + " c",
}


def write_script_texts() -> dict[str, str]:
    """Return a text for each script: some of its letters, with its marks after them."""
    letters, marks = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for sets, scripts in (((LETTERS, UNSPACED), letters), ((MARKS,), marks)):
        for encoded in sets:
            for first, last in read_ranges(encoded):
                for character in map(chr, range(first, last + 1)):
                    scripts[unicodedata.name(character, "").split(" ")[0]].append(character)
    texts = {}
    for script, found in letters.items():
        chosen = islice(found, 0, None, -(-len(found) // SCRIPT_LETTERS))
        own = marks[script][:: -(-len(marks[script]) // SCRIPT_MARKS) or 1]
        words = [f"{character}{''.join(own[i % 3 :: 3])}" for i, character in enumerate(chosen)]
        texts[f"script {script.lower()}"] = " ".join(("".join(words), *words))
    return texts


def draw_spelling() -> tuple[Vocabulary, dict[str, str]]:
    """Return a vocabulary of random words with a nearest spelling, and texts to correct."""
    draw = random.Random(0)
    letters = SPELLING_LETTERS.replace("'", "")

    def draw_word() -> str:
        return "".join(draw.choices(letters, k=draw.randrange(2, 8)))

    words = list(dict.fromkeys(draw_word() for _ in range(2 * SPELLING_WORDS)))
    listed = (*SPECIAL_TOKENS, "a's", *words[:SPELLING_WORDS], "a" * MAX_LETTERS, "caséx")
    ids = {word: draw.randrange(2, len(listed)) for word in words[SPELLING_WORDS:]}
    vocabulary = Vocabulary(
        listed,
        ("no", "yes"),
        4096,
        1,
        hashed=build_hashed_words(ids),
        spelling=Spelling(SPELLING_LETTERS, 3),
    )

    def misspell(word: str) -> str:
        at, letter = draw.randrange(len(word)), draw.choice(letters)
        changed = draw.choice((word[at], letter, "", word[at] + letter, word[at] * 2))
        return word[:at] + changed + word[at + 1 :]

    texts = {
        f"edits {number}": " ".join(map(misspell, draw.choices(words, k=8)))
        for number in range(SPELLING_TEXTS)
    }
    longest = "a" * MAX_LETTERS
    texts["lengths"] = f"{longest}a {longest[1:]} {longest[2:]} ac as sé"
    texts["other letters"] = "casé1 casx casé caséz 2asé a_s as's asas's"
    unknown = next(word for word in words if vocabulary.correct(f"{word}{word[-1]}") > 1)
    texts["limit"] = f"{unknown}{unknown[-1]} " * (MAX_CORRECTIONS + 2) + unknown
    texts["limit with unknown words"] = "zzz " * MAX_CORRECTIONS + f"{unknown}{unknown[-1]}"
    return vocabulary, texts


def write_spelling() -> None:
    """Write the vocabulary with a nearest spelling, its index and its texts."""
    vocabulary, texts = draw_spelling()
    assert vocabulary.hashed is not None
    (FOLDER / SPELLING_VOCABULARY_FILE).write_text(vocabulary.to_json(), "utf-8")
    (FOLDER / SPELLING_HASHED_WORDS_FILE).write_bytes(vocabulary.hashed.to_bytes())
    lines = []
    for name, text in texts.items():
        encoded = vocabulary.encode(text)
        record = {"name": name, "text": text, "ids": encoded.ids, "corrected": encoded.corrected}
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    (FOLDER / SPELLING_TEXTS_FILE).write_text("".join(lines), "utf-8")


def draw_ngrams() -> NgramWeights:
    """Return random weights of character n-grams, for three labels."""
    random = np.random.default_rng(0)
    packed = random.integers(1, 16, (NGRAM_BUCKETS, 2)) + 16 * random.integers(
        1, 16, (NGRAM_BUCKETS, 2)
    )
    ones = np.ones(3, np.float32)
    return NgramWeights(4, NGRAM_CHARACTERS, ones, ones, None, packed.astype(np.uint8))


def main() -> None:
    """Write the vocabulary and the file of texts."""
    listed = (*SPECIAL_TOKENS, *LISTED)
    ids = {word: 2 + number for number, word in enumerate(HASHED)}
    vocabulary = Vocabulary(listed, ("no", "yes"), 4096, 1, hashed=build_hashed_words(ids))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / VOCABULARY_FILE).write_text(vocabulary.to_json(), "utf-8")
    (FOLDER / HASHED_WORDS_FILE).write_bytes(build_hashed_words(ids).to_bytes())
    pieces = make_pieces(PIECES)
    of_pieces = Vocabulary((*SPECIAL_TOKENS, *PIECES), ("no", "yes"), 4096, 1, tokenizer=pieces)
    (FOLDER / PIECES_FILE).write_text(of_pieces.to_json(), "utf-8")
    ngrams = draw_ngrams()
    (FOLDER / NGRAMS_FILE).write_bytes(ngrams.to_bytes())
    lines = []
    for name, text in {**SENTENCES, **write_script_texts()}.items():
        tokens, ids = WORDS.tokenize(text), vocabulary.encode(text).ids
        sums, count = ngrams.sum_levels(text, WORDS)
        record = {"name": name, "text": text, "tokens": tokens, "ids": ids}
        record["ngrams"] = [count, *sums.tolist()]
        record["pieces"] = pieces.tokenize(text)
        with_punctuation = WORDS_AND_PUNCTUATION.tokenize(text)
        if with_punctuation != tokens:
            record["with_punctuation"] = with_punctuation
        escaped = any(0xD800 <= ord(character) <= 0xDFFF for character in text)
        lines.append(json.dumps(record, ensure_ascii=escaped) + "\n")
    (FOLDER / TEXTS_FILE).write_text("".join(lines), "utf-8")
    write_spelling()


if __name__ == "__main__":
    main()
