// Text to tokens, as in runtime/text/tokenizer.py and as the vocabulary file specifies.

const WORD_PATTERN = "\\w+(?:'\\w+)*";
// Without skin tones, ♀ and ♂, so that a gesture is the same token in all its variants.
const EMOJI = "\u2600-\u263f\u2641\u2643-\u27bf\u2b50\u{1f300}-\u{1f3fa}\u{1f400}-\u{1faff}";
const PUNCTUATION_PATTERN = `${WORD_PATTERN}|[!?${EMOJI}]`;

/** One of the ways to split text into tokens: only words, or `!`, `?` and emoji too. */
class Tokenizer {
  constructor(punctuation) {
    this.punctuation = punctuation;
    const pattern = punctuation ? PUNCTUATION_PATTERN : WORD_PATTERN;
    this.specification = { normalize: "NFC", lowercase: true, replace: { "’": "'" }, pattern };
    // In the file's pattern, `\w` is a letter or number of any script, or `_`.
    this.token = new RegExp(pattern.replaceAll("\\w", "[\\p{L}\\p{N}_]"), "gu");
  }

  /** Return the first `count` tokens: "It’s 'fine', Renée!" → ["it's", "fine", "renée"]. */
  tokenize(text, count = Infinity) {
    const tokens = [];
    for (const [token] of normalize(text).matchAll(this.token)) {
      if (tokens.length >= count) break;
      tokens.push(token);
    }
    return tokens;
  }
}

const TOKENIZERS = [false, true].map((punctuation) => new Tokenizer(punctuation));

/** Return the tokenizer with this specification, or undefined if this page does not have it. */
export function findTokenizer(specification) {
  const wanted = JSON.stringify(specification);
  return TOKENIZERS.find((tokenizer) => JSON.stringify(tokenizer.specification) === wanted);
}

/** Normalize text before it is split: "Don’t" → "don't". */
export function normalize(text) {
  return text.normalize("NFC").toLowerCase().replaceAll("’", "'");
}
