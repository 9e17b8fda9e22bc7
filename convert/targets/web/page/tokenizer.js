// Text to tokens, as in runtime/text/tokenizer.py and as the vocabulary file specifies.

const TOKEN = /[\p{L}\p{N}_]+(?:'[\p{L}\p{N}_]+)*/gu;

// In the file's pattern, `\w` is a letter or number of any script, or `_`.
export const SPECIFICATION = {
  normalize: "NFC",
  lowercase: true,
  replace: { "’": "'" },
  pattern: "\\w+(?:'\\w+)*",
};

/** Normalize text before it is split: "Don’t" → "don't". */
export function normalize(text) {
  return text.normalize("NFC").toLowerCase().replaceAll("’", "'");
}

/** Return the first `count` tokens: "It’s 'fine', Renée!" → ["it's", "fine", "renée"]. */
export function tokenize(text, count = Infinity) {
  const tokens = [];
  for (const [token] of normalize(text).matchAll(TOKEN)) {
    if (tokens.length >= count) break;
    tokens.push(token);
  }
  return tokens;
}
