// Weights of character n-grams, which are added to the model's logits (runtime/ngrams.py, whose
// docstring has the steps).

import { softmax } from "./engine.js";
import { WHITE_SPACE, WORD_START, normalize } from "./tokenizer.js";

const VALUE_OFFSET = 8, SPACE = 32;
const MIN_PROBABILITY = 1e-12; // keeps logarithms finite
/** Value of half a byte → integer weight. */
const LEVELS = Int32Array.from({ length: 16 }, (_, value) =>
  (value - VALUE_OFFSET) * (Math.abs(value - VALUE_OFFSET) + 1) / 2);

export class NgramWeights {
  /** Take the weights of a model of `readModel`. */
  constructor(model) {
    this.buckets = model.buckets;
    this.longest = model.longestNgram;
    this.maxCharacters = model.ngramCharacters;
    this.columns = model.ngramColumns;
    this.outputs = model.ngramOutputs;
    this.multiLabel = model.multiLabel;
    this.bias = model.ngramBias;
    this.scales = model.ngramScales;
    this.mixing = model.ngramMixing;
    this.values = model.ngramValues;
    this.width = Math.ceil(model.ngramColumns / 2); // bytes of a bucket
  }

  /** Return the text whose n-grams are read: its words, joined and surrounded by spaces. */
  read(text) {
    const start = [...text.slice(0, 2 * this.maxCharacters)].slice(0, this.maxCharacters).join("");
    const words = normalize(start).split(WHITE_SPACE).filter(Boolean);
    return words.length ? [...` ${words.join(" ")} `] : [];
  }

  /** Call a function with the hash of each n-gram, its first character and its end. */
  forEach(characters, take) {
    const codes = characters.map((character) => character.codePointAt(0));
    for (let first = 0; first < codes.length; first++) {
      let hash = 2166136261;
      const end = Math.min(first + this.longest, codes.length);
      for (let last = first; last < end; last++) {
        if (last - 1 > first && codes[last - 1] === SPACE) break; // a space inside
        hash = Math.imul(hash ^ codes[last], 16777619);
        if (last > first || codes[last] !== SPACE) take(finish(hash), first, last + 1);
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
    this.forEach(this.read(text), (hash) => {
      this.addLevels(sums, hash);
      count++;
    });
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
    this.forEach(characters, (hash, first, end) => {
      const levels = new Int32Array(this.columns);
      this.addLevels(levels, hash);
      const touched = new Set(owners.slice(first, end).filter((number) => number !== undefined));
      const part = labelLogit(this.scale(levels, count)) / touched.size;
      for (const number of touched) parts[number] += part;
    });
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
    return softmax(clipped.map((value, index) => Math.log(value) + added[index]));
  }
}

/** Finish a 32-bit hash as MurmurHash3 does. */
function finish(hash) {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
