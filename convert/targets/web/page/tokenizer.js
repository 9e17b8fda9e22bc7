// Text to tokens, as runtime/tokenizer.py does it and the vocabulary file specifies it.

const TOKEN = /[\p{L}\p{N}_]+(?:'[\p{L}\p{N}_]+)*/gu;

// What `\w` is in the file's pattern: a letter, a number of any script or `_`.
export const SPECIFICATION = {
  normalize: "NFC",
  lowercase: true,
  replace: { "’": "'" },
  pattern: "\\w+(?:'\\w+)*",
};

/** Bring text to the one spelling that tokens are cut from: "Don’t" → "don't". */
export function normalize(text) {
  return text.normalize("NFC").toLowerCase().replaceAll("’", "'");
}

/** Cut the first `count` tokens: "It’s 'fine', Renée!" → ["it's", "fine", "renée"]. */
export function tokenize(text, count = Infinity) {
  const tokens = [];
  for (const [token] of normalize(text).matchAll(TOKEN)) {
    if (tokens.length >= count) break;
    tokens.push(token);
  }
  return tokens;
}
