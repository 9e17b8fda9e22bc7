"""Chooses which unknown words of a bundle are looked up by their nearest spelling, on dev text.

The shortest words to look up are those with which the model is best on the text as it is and on a
misspelt copy, by the mean log loss: it is less noisy than the accuracy. A choice that loses more
accuracy on the text as it is than chance explains is not taken.
"""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from glovelite.data.misspellings import misspell_text
from glovelite.evaluation.scores import Thresholds, decide
from glovelite.runtime.aliases import Classes, Floats
from glovelite.runtime.text.spelling import MAX_ALPHABET, Spelling
from glovelite.runtime.text.tokenizer import UNSPACED_LETTER, classify
from glovelite.runtime.text.vocabulary import Vocabulary

from .fidelity import ALPHA, count_changes, mcnemar

SHORTEST = (3, 4, 5)  # numbers of letters that are tried
MISSPELT_SHARE = 0.1  # of the words of the copy
MAX_TOKENS = 20_000  # of dev text: bounds the time
MIN_LETTER_SHARE = 1e-3  # of the listed words that have a letter, for it to be tried
MIN_SPELT_SHARE = 0.5  # of the listed words that are spelt with these letters alone
MIN_PROBABILITY = 1e-7  # keeps logarithms finite
Score = Callable[[Vocabulary, Sequence[str]], Floats]


def find_letters(vocabulary: Vocabulary) -> str:
    """Return the letters that listed words are spelt with, in order; "" if there is no alphabet.

    Combining marks and the apostrophe are among them, characters of scripts without spaces between
    words are not. Scripts of thousands of characters, such as Hangul, spell few words with as many
    letters as can be tried.
    """
    words = vocabulary.tokens[2:]
    counts = Counter(character for word in words for character in {*word} if _is_letter(character))
    frequent = (
        letter for letter, count in counts.items() if count >= MIN_LETTER_SHARE * len(words)
    )
    ranked = sorted(frequent, key=lambda letter: (-counts[letter], letter))
    letters = "".join(sorted(ranked[:MAX_ALPHABET]))
    spelt = sum(not word.strip(letters) for word in words)
    return letters if letters and spelt >= MIN_SPELT_SHARE * len(words) else ""


def _is_letter(character: str) -> bool:
    if classify(character) == UNSPACED_LETTER:
        return False
    return character == "'" or unicodedata.category(character)[0] in "LM"


def choose_spelling(
    vocabulary: Vocabulary,
    texts: Sequence[str],
    targets: Classes,
    score: Score,
    thresholds: Thresholds | None = None,
) -> Spelling | None:
    """Choose the shortest words to look up, or None to look up no word.

    Args:
        vocabulary: of the reduced model, without spelling.
        texts: dev text.
        targets: int64 [texts], true classes, or bool [texts, labels].
        score: returns the probabilities of texts with a vocabulary, float32 [texts, classes].
        thresholds: of each label of multi-label text, else None.
    """
    letters = find_letters(vocabulary)
    if not letters or vocabulary.is_of_pieces:
        return None
    step = -(-sum(len(vocabulary.tokenize(text)) for text in texts) // MAX_TOKENS) or 1
    texts, targets = texts[::step], targets[::step]
    rng = random.Random(0)
    copies = (texts, [misspell_text(text, MISSPELT_SHARE, rng) for text in texts])
    best: Spelling | None = None
    plain, misspelt = (score(vocabulary, copy) for copy in copies)
    lowest = _log_loss(plain, targets) + _log_loss(misspelt, targets)
    for shortest in SHORTEST:
        spelling = Spelling(letters, shortest)
        corrected = replace(vocabulary, spelling=spelling)
        scores = [score(corrected, copy) for copy in copies]
        loss = sum(_log_loss(part, targets) for part in scores)
        changes = count_changes(targets, decide(plain, thresholds), decide(scores[0], thresholds))
        if loss < lowest and mcnemar(*changes, "greater") >= ALPHA:
            best, lowest = spelling, loss
    return best


def _log_loss(scores: Floats, targets: Classes) -> float:
    """Return the mean log loss of the true classes, or of all decisions about labels."""
    if targets.ndim == 2:
        chosen = np.where(targets, scores, 1 - scores)
    else:
        chosen = scores[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(chosen, MIN_PROBABILITY)).mean())
