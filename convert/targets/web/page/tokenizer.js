// Text to tokens, as in runtime/text/tokenizer.py, whose docstring has the steps, and as the
// vocabulary file specifies.

import { LETTERS, MARKS, UNASSIGNED, UNICODE_VERSION, UNSPACED } from "./unicode-table.js";

// Without skin tones, ♀ and ♂, so that a gesture is the same token in all its variants.
const EMOJI = "\u2600-\u263f\u2641\u2643-\u27bf\u2b50\u{1f300}-\u{1f3fa}\u{1f400}-\u{1faff}";
const INVISIBLE = "\u00ad\u034f\u061c\u180b-\u180d\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064" +
  "\u2066-\u2069\ufe00-\ufe0f\ufeff\u{e0100}-\u{e01ef}";
const BLOCKS = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f";
const SEPARATOR = `(?<=[${BLOCKS}])\u200b+(?=[${BLOCKS}])`;
const JOINERS = "\u200c\u200d";
const REPLACEMENTS = { "i\u0307": "i", "ς": "σ", "’": "'" };
const OLDER_PATTERN = "\\w+(?:'\\w+)*";
const MAX_MARKS = 1024;
export const WORD_START = "\u2581";
/** What separates words, as Python's `str.split` does. */
export const WHITE_SPACE =
  /[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

// Each character has a class, and tokens are matches in the string of these classes: a regular
// expression with the sets of characters themselves would be ten times slower.
const WORD_CLASSES = "U[MJ]*|L[LMJ]*(?:_+[LMJ]+)*(?:'L[LMJ]*(?:_+[LMJ]+)*)*";
const INVISIBLE_CHARACTER = "~", UNASSIGNED_CODE = "X";
const LONG_RUN = new RegExp(`(?<=M{${MAX_MARKS}})M`, "g");

/** Code point → class. */
class Classes extends Map {
  constructor() {
    super();
    const changes = new Map([[0, " "]]);
    const sets = [["L", LETTERS], ["U", UNSPACED], ["M", MARKS], [UNASSIGNED_CODE, UNASSIGNED]];
    for (const [name, encoded] of sets) {
      for (const [first, end] of readRanges(encoded)) {
        changes.set(first, name);
        if (!changes.has(end)) changes.set(end, " ");
      }
    }
    this.starts = [...changes.keys()].sort((a, b) => a - b);
    this.names = this.starts.map((start) => changes.get(start));
    this.symbols = new RegExp(`[!?${EMOJI}]`, "u");
    this.invisible = new RegExp(`[${INVISIBLE}]`, "u");
  }

  of(character) {
    const code = character.codePointAt(0);
    let name = this.get(code);
    if (name === undefined) this.set(code, name = this.find(character, code));
    return name;
  }

  find(character, code) {
    if ("'’".includes(character)) return "'";
    if (character === "_") return "_";
    if (JOINERS.includes(character)) return "J";
    if (this.invisible.test(character)) return INVISIBLE_CHARACTER;
    let low = 0, high = this.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= code) low = middle;
      else high = middle;
    }
    return this.names[low] !== "L" && this.symbols.test(character) ? "!" : this.names[low];
  }
}

let classes;

/** Return the class of each character: ["D", "o", "!"] → "LL!". */
function classify(characters) {
  classes ??= new Classes();
  return characters.map((character) => classes.of(character)).join("");
}

/** One of the ways to split text into tokens: only words, or `!`, `?` and emoji too. */
class Tokenizer {
  isOlder = false; // than format 4 of the vocabulary file
  takesParts = true;

  constructor(punctuation) {
    this.punctuation = punctuation;
    const marks = `\\p{Mn}\\p{Mc}${JOINERS}`;
    const inside = `[\\p{Letter}${marks}]`;
    const word = `[\\p{Letter}]${inside}*(?:_+${inside}+)*`;
    const symbols = punctuation ? `|[!?${EMOJI}]` : "";
    this.specification = {
      unicode: UNICODE_VERSION,
      separate: SEPARATOR,
      remove: `[${INVISIBLE}]`,
      normalize: "NFC",
      lowercase: true,
      replace: REPLACEMENTS,
      unspaced: ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"],
      pattern: `\\p{Unspaced}[${marks}]*|${word}(?:'${word})*${symbols}`,
      unknown: "longest known part between apostrophes",
    };
    this.pattern = new RegExp(punctuation ? `${WORD_CLASSES}|!` : WORD_CLASSES, "g");
  }

  /** Normalize text before it is split: "Don’t, İyi" → "don't, iyi". */
  normalize(text) {
    const characters = [...text.replace(new RegExp(SEPARATOR, "g"), " ")];
    const kinds = classify(characters);
    const cleaned = characters.map((character, index) => kinds[index] === UNASSIGNED_CODE ? " "
      : kinds[index] === INVISIBLE_CHARACTER ? "" : character);
    let normalized = shortenRuns(cleaned.join("")).normalize("NFC").toLowerCase();
    for (const [old, replacement] of Object.entries(REPLACEMENTS)) {
      normalized = normalized.replaceAll(old, replacement);
    }
    return normalized.normalize("NFC");
  }

  /** Return the first `count` tokens: "It’s 'fine', Renée!" → ["it's", "fine", "renée"]. */
  tokenize(text, count = Infinity) {
    const characters = [...this.normalize(text)], tokens = [];
    for (const { 0: { length }, index } of classify(characters).matchAll(this.pattern)) {
      if (tokens.length >= count) break;
      tokens.push(characters.slice(index, index + length).join(""));
    }
    return tokens;
  }
}

/** Drop the marks beyond the first `MAX_MARKS` of a run: composing them would take minutes. */
function shortenRuns(text) {
  if (text.length <= MAX_MARKS) return text;
  const characters = [...text];
  for (const { index } of classify(characters).matchAll(LONG_RUN)) characters[index] = "";
  return characters.join("");
}

/** The tokenizer of `vocab.json` formats 1 to 3. */
class OlderTokenizer extends Tokenizer {
  isOlder = true;
  takesParts = false;

  constructor(punctuation) {
    super(punctuation);
    const pattern = punctuation ? `${OLDER_PATTERN}|[!?${EMOJI}]` : OLDER_PATTERN;
    this.specification = { normalize: "NFC", lowercase: true, replace: { "’": "'" }, pattern };
    // In the file's pattern, `\w` is a letter or number of any script, or `_`.
    this.pattern = new RegExp(pattern.replaceAll("\\w", "[\\p{L}\\p{N}_]"), "gu");
  }

  /** Normalize text before it is split: "Don’t" → "don't". */
  normalize(text) {
    return text.normalize("NFC").toLowerCase().replaceAll("’", "'");
  }

  /** Return the first `count` tokens: "It’s 'fine', Renée!" → ["it's", "fine", "renée"]. */
  tokenize(text, count = Infinity) {
    const tokens = [];
    for (const [token] of this.normalize(text).matchAll(this.pattern)) {
      if (tokens.length >= count) break;
      tokens.push(token);
    }
    return tokens;
  }
}

/** The tokenizer of models without word vectors: pieces of words (runtime/text/pieces.py). */
class PieceTokenizer extends Tokenizer {
  takesParts = false;

  constructor(pieces) {
    super(false);
    const { unicode, separate, remove, normalize, lowercase, replace } = this.specification;
    this.specification = { unicode, separate, remove, normalize, lowercase, replace,
      word_start: WORD_START, segment: "longest token from the left" };
    this.pieces = new Set(pieces);
    this.longest = pieces.reduce((longest, piece) => Math.max(longest, [...piece].length), 1);
  }

  /** Return the first `count` pieces: "Walking on" → ["▁walk", "ing", "▁on"]. */
  tokenize(text, count = Infinity) {
    const tokens = [];
    for (const word of this.normalize(text).split(WHITE_SPACE).filter(Boolean)) {
      const characters = [WORD_START, ...word];
      for (let start = 0; start < characters.length;) {
        if (tokens.length >= count) return tokens;
        let end = Math.min(start + this.longest, characters.length), piece;
        do piece = characters.slice(start, end).join("");
        while (!this.pieces.has(piece) && --end > start);
        start = Math.max(end, start + 1);
        tokens.push(piece);
      }
    }
    return tokens;
  }
}

export const TOKENIZERS = [false, true].flatMap(
  (punctuation) => [new Tokenizer(punctuation), new OlderTokenizer(punctuation)]);

/** Return the tokenizer with this specification, or undefined if this page does not have it.
 * `tokens` are those of the vocabulary. */
export function findTokenizer(specification, tokens = []) {
  const wanted = JSON.stringify(specification);
  if (specification?.word_start === WORD_START) {
    const pieces = new PieceTokenizer(tokens.slice(2));
    return JSON.stringify(pieces.specification) === wanted ? pieces : undefined;
  }
  return TOKENIZERS.find((tokenizer) => JSON.stringify(tokenizer.specification) === wanted);
}

/** Return the first code point and the end of each range of a set in `unicode-table.js`. */
function readRanges(encoded) {
  let end = 0;
  return encoded.split(" ").map((part) => {
    const [gap, length = "1"] = part.split("-");
    const first = end + parseInt(gap, 36);
    end = first + parseInt(length, 36);
    return [first, end];
  });
}
