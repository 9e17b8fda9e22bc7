"""Learns the pieces of words that are the tokens of models without word vectors.

SentencePiece learns byte-pair encoding (Sennrich, Haddow and Birch, 2016) from the words of the
training text. The device takes the longest piece that fits, so pieces which it then hardly takes
are left out.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from itertools import chain, repeat

import sentencepiece

from glovelite.runtime.errors import VectorsError
from glovelite.runtime.text.pieces import PieceTokenizer, make_pieces
from glovelite.runtime.text.tokenizer import Tokenizer

MIN_COUNT = 2  # occurrences of a piece in training text
CHARACTER_COVERAGE = 0.9995  # share of the text's characters that are pieces
MAX_WORD = 1000  # characters; longer runs without white space are cut
MAX_OCCURRENCES = 2_000_000  # of words that are learned from: bounds memory


def learn_pieces(texts: Iterable[str], tokenizer: Tokenizer, count: int) -> PieceTokenizer:
    """Learn about `count` pieces of the words of texts.

    Args:
        tokenizer: normalizes the texts.

    Raises:
        VectorsError: the texts have too few words.
    """
    words = Counter(word for text in texts for word in tokenizer.normalize(text).split())
    pieces = make_pieces(_learn(words, count))
    while True:
        counts = Counter[str]()
        for word, times in words.items():
            for piece in pieces.segment(word):
                counts[piece] += times
        kept = {piece for piece in pieces.pieces if counts[piece] >= MIN_COUNT}
        if len(kept) == len(pieces.pieces):
            return pieces
        pieces = make_pieces(kept)


def _learn(words: Counter[str], count: int) -> list[str]:
    """Return the pieces of byte-pair encoding."""
    share = min(1.0, MAX_OCCURRENCES / max(1, words.total()))
    occurrences = (
        repeat(word[:MAX_WORD], max(1, round(share * times))) for word, times in words.items()
    )
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=chain.from_iterable(occurrences),
            model_writer=model,
            model_type="bpe",
            vocab_size=count,
            hard_vocab_limit=False,
            character_coverage=CHARACTER_COVERAGE,
            normalization_rule_name="identity",
            max_sentence_length=8 * MAX_WORD,
            num_threads=1,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise VectorsError(
            f"the training text gives no pieces of words ({reason:.100}): give more text, or "
            "--pieces 0 for whole words"
        ) from None
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    numbers = range(processor.get_piece_size())
    special = (processor.is_control, processor.is_unknown, processor.is_unused)
    return [
        processor.id_to_piece(number)
        for number in numbers
        if not any(is_special(number) for is_special in special)
    ]
