// Weights of character n-grams, which are added to the model's logits (runtime/ngrams.py, whose
// docstring has the format and the steps).

import { SiteError } from "./errors.js";
import { WHITE_SPACE, WORD_START } from "./tokenizer.js";

const MAGIC = 0x474e4c47; // "GLNG"
const VERSION = 1, HEADER_BYTES = 28, VALUE_OFFSET = 8, SPACE = 32;
const MIN_PROBABILITY = 1e-12; // keeps logarithms finite
/** Value of half a byte → integer weight. */
const LEVELS = Int32Array.from({ length: 16 }, (_, value) =>
  (value - VALUE_OFFSET) * (Math.abs(value - VALUE_OFFSET) + 1) / 2);

export class NgramWeights {
  /** Parse the content of `ngrams.bin` for a vocabulary; throw a SiteError if it is malformed. */
  constructor(bytes, { labels, multiLabel, tokenizer }) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isWeights = bytes.length >= HEADER_BYTES && view.getUint32(0, true) === MAGIC;
    if (isWeights && view.getUint32(4, true) > VERSION) {
      throw new SiteError("bundle/ngrams.bin has a format that this page cannot read: write the " +
        "site again with a newer glovelite.");
    }
    const header = isWeights ? [8, 12, 16, 20, 24].map((at) => view.getUint32(at, true)) : [];
    const [buckets, longest, maxCharacters, columns, outputs] = header;
    const mixed = columns < outputs ? columns * outputs : 0, width = Math.ceil(columns / 2);
    const start = HEADER_BYTES + 4 * (outputs + columns + mixed);
    const expected = labels.length === 2 && !multiLabel ? 1 : labels.length;
    if (!(outputs === expected && bytes.length === start + buckets * width)) {
      throw new SiteError("bundle/ngrams.bin is damaged: it does not hold the weights of these " +
        "labels. Upload it again.");
    }
    const read = (from, length) => Float32Array.from({ length },
      (_, index) => view.getFloat32(from + 4 * index, true));
    this.bias = read(HEADER_BYTES, outputs);
    this.scales = read(HEADER_BYTES + 4 * outputs, columns);
    this.mixing = mixed ? read(HEADER_BYTES + 4 * (outputs + columns), mixed) : null;
    this.values = bytes.subarray(start);
    Object.assign(this, { buckets, longest, maxCharacters, columns, width, outputs, multiLabel });
    this.tokenizer = tokenizer;
  }

  /** Return the text whose n-grams are read: its words, joined and surrounded by spaces. */
  read(text) {
    const start = [...text].slice(0, this.maxCharacters).join("");
    const words = this.tokenizer.normalize(start).split(WHITE_SPACE).filter(Boolean);
    return words.length ? [...` ${words.join(" ")} `] : [];
  }

  /** Yield the hash of each n-gram, its first character and its end. */
  *find(characters) {
    const codes = characters.map((character) => character.codePointAt(0));
    for (let first = 0; first < codes.length; first++) {
      let hash = 2166136261;
      const end = Math.min(first + this.longest, codes.length);
      for (let last = first; last < end; last++) {
        if (last - 1 > first && codes[last - 1] === SPACE) break; // a space inside
        hash = Math.imul(hash ^ codes[last], 16777619);
        if (last > first || codes[last] !== SPACE) yield [finish(hash), first, last + 1];
      }
    }
  }

  addLevels(sums, hash) {
    const row = (hash & (this.buckets - 1)) * this.width;
    for (let column = 0; column < this.columns; column++) {
      const pair = this.values[row + (column >> 1)];
      sums[column] += LEVELS[column & 1 ? pair >> 4 : pair & 15];
    }
  }

  /** Return the sum of the integer weights of a text's n-grams, and their number. */
  sumLevels(text) {
    const sums = new Int32Array(this.columns);
    let count = 0;
    for (const [hash] of this.find(this.read(text))) {
      this.addLevels(sums, hash);
      count++;
    }
    return { sums, count };
  }

  /** Return the logits of integer weights of a text with this number of n-grams. */
  scale(levels, count) {
    const scaled = Array.from(this.scales, (scale, column) =>
      levels[column] * scale / Math.sqrt(Math.max(1, count)));
    return this.mixing ? Array.from(this.bias, (_, output) => scaled.reduce(
      (sum, value, row) => sum + value * this.mixing[row * this.outputs + output], 0)) : scaled;
  }

  /** Return what the n-grams of a text add to the logit of each output. */
  logits(text) {
    const { sums, count } = this.sumLevels(text);
    return this.scale(sums, count).map((value, output) => count ? value + this.bias[output] : 0);
  }

  /** Split what the n-grams add to a label's logit over the tokens of a text: those that an n-gram
   * touches share its part equally. `labelLogit` returns the label's share of logits. */
  split(text, tokens, labelLogit) {
    const characters = this.read(text), owners = [];
    let position = 0;
    for (const [number, token] of tokens.entries()) {
      const letters = [...token.replaceAll(WORD_START, " ")];
      while (position < characters.length &&
        letters.some((letter, index) => letter !== characters[position + index])) position++;
      for (const _ of letters) owners[position++] = number;
    }
    const { count } = this.sumLevels(text), parts = tokens.map(() => 0);
    for (const [hash, first, end] of this.find(characters)) {
      const levels = new Int32Array(this.columns);
      this.addLevels(levels, hash);
      const touched = new Set(owners.slice(first, end).filter((number) => number !== undefined));
      const part = labelLogit(this.scale(levels, count)) / touched.size;
      for (const number of touched) parts[number] += part;
    }
    return parts;
  }

  /** Return the probabilities of a text, the model's, with its n-grams. */
  addTo(probabilities, text) {
    let added = this.logits(text);
    const clipped = probabilities.map((value) => Math.min(1, Math.max(value, MIN_PROBABILITY)));
    if (this.multiLabel) {
      return clipped.map((value, index) => 1 / (1 + Math.max(1 - value, MIN_PROBABILITY) / value *
        Math.exp(-added[index])));
    }
    if (added.length === 1) added = [0, added[0]];
    const totals = clipped.map((value, index) => Math.log(value) + added[index]);
    const largest = Math.max(...totals);
    const scores = totals.map((total) => Math.exp(total - largest));
    const sum = scores.reduce((a, b) => a + b);
    return scores.map((score) => score / sum);
  }
}

/** Finish a 32-bit hash as MurmurHash3 does. */
function finish(hash) {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
