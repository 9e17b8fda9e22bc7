// The vocabulary of a model.bin: text to tokens to ids, looked up where the file has them.

import { PIECES, PUNCTUATION } from "./model-file.js";
import { NearestSpelling } from "./spelling.js";
import { PieceTokenizer, Tokenizer } from "./tokenizer.js";

const MAX_CORRECTIONS = 64; // unknown tokens of a text that are looked up by spelling
export const UNKNOWN_ID = 1;
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});

export class Vocabulary {
  /** Prepare the vocabulary of a model of `readModel`. */
  constructor(model) {
    this.model = model;
    this.word = new WordBytes(longestToken(model.tokenStarts));
    this.decoder = new TextDecoder();
    const longest = model.tokenizer === PIECES ? longestPiece(model) : 0;
    this.tokenizer = model.tokenizer === PIECES
      ? new PieceTokenizer((characters, start) => this.countListed(characters, start, longest))
      : new Tokenizer(model.tokenizer === PUNCTUATION);
    const letters = Array.from(model.letters, (letter) => String.fromCodePoint(letter));
    this.spelling = model.shortest ? new NearestSpelling(letters, model.shortest, this) : null;
  }

  /** Turn text into tokens and ids, without padding; `truncated` if the text is longer;
   * `familiarity` is the mean level of the words, `corrected` the number of those that have the id of
   * their nearest spelling. */
  encode(text) {
    const { maxTokens, levels, hashedLevel } = this.model;
    const found = this.tokenizer.tokenize(text, maxTokens + 1), tokens = found.slice(0, maxTokens);
    let sum = 0;
    const ids = tokens.map((token) => {
      const listed = this.findListed(token), id = listed || this.findUnlisted(token);
      if (levels) sum += listed || id === UNKNOWN_ID ? levels[id] : hashedLevel;
      return id;
    });
    const familiarity = ids.length ? sum / ids.length : 0;
    const corrected = this.spelling ? this.correctUnknown(tokens, ids) : 0;
    return { tokens, ids, truncated: found.length > maxTokens, familiarity, corrected };
  }

  /** Replace the unknown word's id by that of the nearest spelling, in place; count them. */
  correctUnknown(tokens, ids) {
    const unknown = [...ids.keys()].filter((index) => ids[index] === UNKNOWN_ID);
    let corrected = 0;
    for (const index of unknown.slice(0, MAX_CORRECTIONS)) {
      const id = this.spelling.find(tokens[index]);
      if (!id) continue;
      ids[index] = id;
      corrected++;
    }
    return corrected;
  }

  /** Return the id of a token that was not found: a hashed word's, or that of its longest known part
   * between apostrophes, the last one of equally long ones; else the unknown word's. */
  findUnlisted(token) {
    const id = this.findHashed();
    if (id || !token.includes("'") || !this.tokenizer.takesParts) return id || UNKNOWN_ID;
    const length = (part) => [...part].length;
    const parts = token.split("'").reverse().sort((a, b) => length(b) - length(a));
    for (const part of parts) {
      const found = this.findListed(part) || this.findHashed();
      if (found) return found;
    }
    return UNKNOWN_ID;
  }

  /** Return the id of a listed token, or 0. */
  findListed(token) {
    const { word } = this;
    word.start();
    word.append(token);
    return this.findBytes(word.checksum, word.length);
  }

  /** Return the id of the listed token that the word's first bytes are, or 0. */
  findBytes(checksum, length) {
    const { tokenIndex, tokenStarts, tokens, slots } = this.model, { bytes } = this.word;
    for (let slot = checksum & (slots - 1), id; (id = tokenIndex[slot]); slot = (slot + 1) & (slots - 1)) {
      const start = tokenStarts[id];
      let at = tokenStarts[id + 1] - start === length ? 0 : -1;
      while (at >= 0 && at < length) at = tokens[start + at] === bytes[at] ? at + 1 : -1;
      if (at === length) return id;
    }
    return 0;
  }

  /** Return the id of the token that was looked up last if it is a hashed word, or 0. */
  findHashed() {
    const { hashedKeys, hashedIds } = this.model, key = this.word.checksum >>> 0;
    let low = 0, high = hashedKeys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (hashedKeys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return hashedKeys[low] === key ? hashedIds[low] : 0;
  }

  /** Return how many of the characters from a start on are the longest listed token, or 0. */
  countListed(characters, start, longest) {
    const { word } = this, prefixes = [];
    word.start();
    for (const character of characters.slice(start, start + longest)) {
      word.append(character);
      prefixes.push([word.checksum, word.length]);
    }
    return prefixes.findLastIndex(([checksum, length]) => this.findBytes(checksum, length)) + 1;
  }

  /** Return the listed word whose id a token has, or undefined if it is listed or unknown. */
  standIn(token, id) {
    if (id === UNKNOWN_ID || this.findListed(token)) return undefined;
    const { tokens, tokenStarts } = this.model;
    return this.decoder.decode(tokens.subarray(tokenStarts[id], tokenStarts[id + 1]));
  }
}

/** The UTF-8 of a word, as far as a listed token may match, and its CRC-32: "hello" → 0x3610a686. */
class WordBytes {
  constructor(capacity) {
    this.bytes = new Uint8Array(capacity); // what is written behind its end is dropped
    this.start();
  }

  start() {
    this.length = 0;
    this.crc = -1;
  }

  get checksum() {
    return ~this.crc;
  }

  append(text) {
    let { length, crc } = this;
    for (let index = 0; index < text.length; index++) {
      const code = text.codePointAt(index);
      const more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3; // bytes after the first
      const lead = more ? (0xff00 >> (more + 1)) & 0xff : 0;
      for (let shift = 6 * more; shift >= 0; shift -= 6) {
        const byte = shift < 6 * more ? 0x80 | (code >> shift) & 0x3f : lead | code >> shift;
        this.bytes[length++] = byte;
        crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
      }
      if (more === 3) index++; // a pair of surrogates
    }
    Object.assign(this, { length, crc });
  }
}

function longestToken(starts) {
  return starts.reduce((longest, start, id) => Math.max(longest, start - (starts[id - 1] ?? 0)), 0);
}

/** Return the number of characters of the longest token. */
function longestPiece({ tokens, tokenStarts, tokenCount }) {
  let longest = 1;
  for (let id = 2; id < tokenCount; id++) {
    let characters = 0;
    for (let at = tokenStarts[id]; at < tokenStarts[id + 1]; at++) {
      characters += Number((tokens[at] & 0xc0) !== 0x80);
    }
    longest = Math.max(longest, characters);
  }
  return longest;
}
