// Text to tokens, as in runtime/text/tokenizer.py, whose docstring has the steps.

import { LETTERS, MARKS, UNASSIGNED, UNSPACED } from "./unicode-table.js";

// Without skin tones, ♀ and ♂, so that a gesture is the same token in all its variants.
const EMOJI = "\u2600-\u263f\u2641\u2643-\u27bf\u2b50\u{1f300}-\u{1f3fa}\u{1f400}-\u{1faff}";
const INVISIBLE = "\u00ad\u034f\u061c\u180b-\u180d\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064" +
  "\u2066-\u2069\ufe00-\ufe0f\ufeff\u{e0100}-\u{e01ef}";
const BLOCKS = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f";
const SEPARATOR = new RegExp(`(?<=[${BLOCKS}])\u200b+(?=[${BLOCKS}])`, "g");
const JOINERS = "\u200c\u200d";
const REPLACEMENTS = { "i\u0307": "i", "ς": "σ", "’": "'" };
const MAX_MARKS = 1024;
const PART_LENGTH = 4000; // of a long text: its tokens are found part by part
export const WORD_START = "\u2581";
/** What separates words, as Python's `str.split` does. */
export const WHITE_SPACE =
  /[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

// Each character has a class, and tokens are matches in the string of these classes: a regular
// expression with the sets of characters themselves would be ten times slower.
const WORD_CLASSES = "U[MJ]*|L[LMJ]*(?:_+[LMJ]+)*(?:'L[LMJ]*(?:_+[LMJ]+)*)*";
const INVISIBLE_CHARACTER = "~", UNASSIGNED_CODE = "X";
const LONG_RUN = new RegExp(`(?<=M{${MAX_MARKS}})M`, "g");
const WORDS = new RegExp(WORD_CLASSES, "g"), WORDS_AND_SYMBOLS = new RegExp(`${WORD_CLASSES}|!`, "g");

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

/** Words, and on demand `!`, `?` and emoji. */
export class Tokenizer {
  takesParts = true; // whether an unknown word has the id of a part of it

  constructor(punctuation) {
    this.pattern = punctuation ? WORDS_AND_SYMBOLS : WORDS;
  }

  /** Return the first `count` tokens: "It’s 'fine', Renée!" → ["it's", "fine", "renée"]. */
  tokenize(text, count = Infinity) {
    const tokens = [];
    for (let start = 0, end; start < text.length && tokens.length < count; start = end) {
      end = text.indexOf(" ", start + PART_LENGTH); // which no token or composition reaches across
      if (end < 0) end = text.length;
      for (const token of this.split(normalize(text.slice(start, end)))) {
        if (tokens.length >= count) break;
        tokens.push(token);
      }
    }
    return tokens;
  }

  * split(normalized) {
    const characters = [...normalized];
    for (const { 0: { length }, index } of classify(characters).matchAll(this.pattern)) {
      yield characters.slice(index, index + length).join("");
    }
  }
}

/** Pieces of words, of models without word vectors (runtime/text/pieces.py). */
export class PieceTokenizer extends Tokenizer {
  takesParts = false;

  /** `countListed` returns how many characters from a start on are the longest piece, or 0. */
  constructor(countListed) {
    super(false);
    this.countListed = countListed;
  }

  /** Split words into pieces: "walking on" → ["▁walk", "ing", "▁on"]. */
  * split(normalized) {
    for (const word of normalized.split(WHITE_SPACE).filter(Boolean)) {
      const characters = [WORD_START, ...word];
      for (let start = 0, end; start < characters.length; start = end) {
        end = start + (this.countListed(characters, start) || 1);
        yield characters.slice(start, end).join("");
      }
    }
  }
}

/** Normalize text before it is split: "Don’t, İyi" → "don't, iyi". */
export function normalize(text) {
  const characters = [...text.replace(SEPARATOR, " ")];
  const kinds = classify(characters);
  const cleaned = characters.map((character, index) => kinds[index] === UNASSIGNED_CODE ? " "
    : kinds[index] === INVISIBLE_CHARACTER ? "" : character);
  let normalized = shortenRuns(cleaned.join("")).normalize("NFC").toLowerCase();
  for (const [old, replacement] of Object.entries(REPLACEMENTS)) {
    normalized = normalized.replaceAll(old, replacement);
  }
  return normalized.normalize("NFC");
}

/** Drop the marks beyond the first `MAX_MARKS` of a run: composing them would take minutes. */
function shortenRuns(text) {
  if (text.length <= MAX_MARKS) return text;
  const characters = [...text];
  for (const { index } of classify(characters).matchAll(LONG_RUN)) characters[index] = "";
  return characters.join("");
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
