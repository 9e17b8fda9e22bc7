// Reads model.bin, which docs/formats.md describes: checks everything that an index depends on, as
// c/glovelite.c does, and finds the parts. Nothing is copied but the labels.

import { GloveliteError } from "./files.js";

const MAGIC = 0x424d4c47; // "GLMB"
const VERSION = 1, HEADER_BYTES = 32, ENTRY_BYTES = 16, ALIGNMENT = 16, CHECKED_FROM = 16;
const FILTER_BLOCK = 8;
export const COLUMN_BLOCK = 16;
const SECTIONS = [ // by number, from 1 on
  "settings", "labels", "tokenStarts", "tokens", "tokenIndex", "levels", "hashedKeys", "hashedIds",
  "rows", "rowScales", "kernelShapes", "kernels", "featureBias", "logitWeights", "logitBias", "wide",
  "wideScales", "thresholds", "ngramBias", "ngramScales", "ngramMixing", "ngramValues", "letters",
  "wideMixing",
];
const INTEGERS = [
  "tokenizer", "maxTokens", "tokenCount", "labelCount", "outputs", "flags", "rowBits", "rowColumns",
  "kernelCount", "wideBits", "hashedCount", "slots", "buckets", "longestNgram", "ngramCharacters",
  "ngramColumns", "shortest", "letterCount",
];
const REALS = ["minKnown", "typical", "penalty", "hashedLevel"];
const MULTI_LABEL = 1, SOFTMAX = 2, FOLDED = 4;
export const PIECES = 2; // of the tokenizers
const MAX_TAPS = 64, MAX_LETTERS = 24, MAX_ALPHABET = 64, MAX_NGRAM = 8, MAX_NGRAM_COLUMNS = 16;
const NUMBERS = { 4: Int8Array, 8: Int8Array, 16: Uint16Array, 32: Float32Array }; // by bits

/** Return the parts of a model.bin; throw a GloveliteError if it is damaged or too new. */
export function readModel(bytes) {
  const isAligned = bytes.byteOffset % ALIGNMENT === 0;
  const content = isAligned ? bytes : new Uint8Array(bytes); // a copy
  checkHeader(content);
  const sections = new Sections(content);
  const model = { size: content.length, ...readSettings(sections) };
  readShapes(model, sections);
  readStrings(model, sections);
  readIndexes(model, sections);
  readWeights(model, sections);
  readNgrams(model, sections);
  return model;
}

/** Throw the error of a file whose parts contradict each other. */
function expect(condition, part) {
  if (!condition) {
    throw new GloveliteError(`model.bin is damaged: its ${part} cannot be right. Write it again.`);
  }
}

function checkHeader(content) {
  const header = new DataView(content.buffer, content.byteOffset, content.length);
  if (content.length < HEADER_BYTES || header.getUint32(0, true) !== MAGIC) {
    throw new GloveliteError("The file is no model.bin of glovelite.");
  }
  if (header.getUint32(4, true) > VERSION) {
    throw new GloveliteError("model.bin was written for a newer page: take the files beside it.");
  }
  expect(header.getUint32(4, true) === VERSION, "version");
  if (header.getUint32(8, true) !== content.length || content.length % ALIGNMENT) {
    throw new GloveliteError("model.bin has lost bytes, or has too many: copy it again.");
  }
  const words = new Uint32Array(content.buffer, content.byteOffset, content.length / 4);
  let hash = 2166136261;
  for (let at = CHECKED_FROM / 4; at < words.length; at++) {
    hash = Math.imul(hash ^ words[at], 16777619);
  }
  if (hash >>> 0 !== words[3]) { // also where numbers are big-endian
    throw new GloveliteError("model.bin is damaged: its bytes were changed. Copy it again.");
  }
}

/** The table of sections: the bytes of each by its name, none for those that are missing. */
class Sections {
  constructor(content) {
    const view = new DataView(content.buffer, content.byteOffset, content.length);
    const count = view.getUint32(16, true);
    expect(count <= SECTIONS.length && HEADER_BYTES + count * ENTRY_BYTES <= content.length,
      "number of sections");
    this.found = new Map();
    for (let entry = HEADER_BYTES; entry < HEADER_BYTES + count * ENTRY_BYTES; entry += ENTRY_BYTES) {
      const [kind, start, size] = [0, 4, 8].map((at) => view.getUint32(entry + at, true));
      const name = SECTIONS[kind - 1];
      expect(name !== undefined && !this.found.has(name) && start % ALIGNMENT === 0 &&
        start + size <= content.length, "table of sections");
      this.found.set(name, content.subarray(start, start + size));
    }
  }

  bytes(name) {
    return this.found.get(name) ?? new Uint8Array(0);
  }

  /** Return the numbers of a section, which must be as many as expected. */
  numbers(name, Type, count) {
    const { buffer, byteOffset, length } = this.bytes(name);
    expect(length === count * Type.BYTES_PER_ELEMENT, name);
    return new Type(buffer, byteOffset, count);
  }

  /** Return the float32 numbers of a section, or null if it is missing and may be. */
  optional(name, count) {
    return this.bytes(name).length ? this.numbers(name, Float32Array, count) : null;
  }
}

const isBetween = (value, least, most) => value >= least && value <= most;
const isPowerOfTwo = (value) => value > 0 && (value & (value - 1)) === 0;
const pad = (count, block) => Math.ceil(count / block) * block;

function readSettings(sections) {
  const bytes = sections.bytes("settings");
  expect(bytes.length === 4 * INTEGERS.length + 8 * REALS.length, "settings");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), model = {};
  INTEGERS.forEach((name, index) => { model[name] = view.getUint32(4 * index, true); });
  REALS.forEach((name, index) => {
    model[name] = view.getFloat64(4 * INTEGERS.length + 8 * index, true);
  });
  const { flags, labelCount, outputs, rowBits, wideBits } = model;
  model.multiLabel = (flags & MULTI_LABEL) !== 0;
  model.softmax = (flags & SOFTMAX) !== 0;
  model.folded = (flags & FOLDED) !== 0;
  model.ngramOutputs = labelCount === 2 && !model.multiLabel ? 1 : labelCount;
  expect(model.tokenizer <= PIECES && flags <= 7, "settings");
  expect(isBetween(model.maxTokens, 1, 1 << 16), "settings");
  expect(isBetween(model.tokenCount, 2, 1 << 24) && isBetween(labelCount, 2, 1 << 16), "settings");
  expect(outputs === labelCount || (outputs === 1 && labelCount === 2 && !model.multiLabel),
    "outputs");
  expect(model.softmax === (!model.multiLabel && outputs > 1), "outputs");
  expect(rowBits in NUMBERS && (wideBits === 0 || (wideBits > 4 && wideBits in NUMBERS)), "settings");
  expect(isBetween(model.rowColumns, 1, 1 << 20) && isBetween(model.kernelCount, 1, 256), "settings");
  expect(isPowerOfTwo(model.slots) && model.slots <= 1 << 26 && model.hashedCount <= 1 << 24,
    "settings");
  expect(model.shortest <= MAX_LETTERS && model.letterCount <= MAX_ALPHABET &&
    !(model.shortest && model.tokenizer === PIECES), "settings");
  expect(model.buckets === 0 || (isPowerOfTwo(model.buckets) && model.buckets <= 1 << 20 &&
    isBetween(model.longestNgram, 1, MAX_NGRAM) && isBetween(model.ngramCharacters, 1, 1 << 16) &&
    isBetween(model.ngramColumns, 1, MAX_NGRAM_COLUMNS)), "settings");
  return model;
}

/** Find taps and filters of the kernels, and count columns of products and features. */
function readShapes(model, sections) {
  const numbers = sections.numbers("kernelShapes", Uint32Array, 2 * model.kernelCount);
  let columns = 0, stored = 0;
  model.kernels = [];
  model.maxTaps = model.features = 0;
  for (let index = 0; index < numbers.length; index += 2) {
    const [taps, filters] = numbers.subarray(index, index + 2), padded = pad(filters, FILTER_BLOCK);
    expect(isBetween(taps, 1, MAX_TAPS) && isBetween(filters, 1, 1 << 16), "kernels");
    model.kernels.push({ taps, filters, padded });
    model.maxTaps = Math.max(model.maxTaps, taps);
    model.features += padded;
    columns += taps * padded;
    stored += taps * filters;
  }
  expect(columns <= 1 << 20 && (!model.folded || stored === model.rowColumns), "kernels");
  model.columns = pad(columns, COLUMN_BLOCK);
}

/** Check that strings follow each other and end where their section does. */
function checkStarts(starts, size, part) {
  expect(starts[0] === 0 && starts.at(-1) === size, part);
  for (let index = 1; index < starts.length; index++) expect(starts[index] >= starts[index - 1], part);
}

function readStrings(model, sections) {
  const labels = sections.bytes("labels"), numbers = 4 * (model.labelCount + 1);
  expect(labels.length >= numbers, "labels");
  const starts = new Uint32Array(labels.buffer, labels.byteOffset, model.labelCount + 1);
  const text = labels.subarray(numbers), decoder = new TextDecoder();
  checkStarts(starts, text.length, "labels");
  model.labels = Array.from({ length: model.labelCount }, (_, label) => {
    const end = starts[label + 1] - 1; // of the label's NUL
    expect(end >= starts[label] && text[end] === 0, "labels");
    return decoder.decode(text.subarray(starts[label], end));
  });
  model.tokens = sections.bytes("tokens");
  model.tokenStarts = sections.numbers("tokenStarts", Uint32Array, model.tokenCount + 1);
  checkStarts(model.tokenStarts, model.tokens.length, "tokens");
}

function readIndexes(model, sections) {
  const Slots = model.tokenCount > 1 << 16 ? Uint32Array : Uint16Array;
  model.tokenIndex = sections.numbers("tokenIndex", Slots, model.slots);
  model.hashedKeys = sections.numbers("hashedKeys", Uint32Array, model.hashedCount);
  model.hashedIds = sections.numbers("hashedIds", Uint16Array, model.hashedCount);
  model.letters = sections.numbers("letters", Uint32Array, model.letterCount);
  expect(model.letters.every((letter) => letter <= 0x10ffff), "letters");
  expect(model.tokenIndex.every((id) => id !== 1 && id < model.tokenCount), "tokenIndex");
  expect(model.tokenIndex.includes(0), "tokenIndex"); // where every search ends
  expect(model.hashedIds.every((id) => id >= 2 && id < model.tokenCount), "hashedIds");
  for (let index = 1; index < model.hashedCount; index++) {
    expect(model.hashedKeys[index] > model.hashedKeys[index - 1], "hashedKeys");
  }
  model.levels = null;
  if (sections.bytes("levels").length) {
    model.levels = sections.numbers("levels", Uint8Array, model.tokenCount);
  }
}

function readWeights(model, sections) {
  const { tokenCount, labelCount, outputs, features, rowBits, rowColumns, wideBits } = model;
  const rowNumbers = rowBits === 4 ? Math.ceil(rowColumns / 2) : rowColumns;
  model.rows = sections.numbers("rows", NUMBERS[rowBits], tokenCount * rowNumbers);
  model.rowScales = sections.optional("rowScales", tokenCount);
  model.kernelValues = model.folded ? null
    : sections.numbers("kernels", Float32Array, model.columns * rowColumns);
  model.featureBias = sections.numbers("featureBias", Float32Array, features);
  model.logitWeights = sections.numbers("logitWeights", Float32Array, outputs * features);
  model.logitBias = sections.numbers("logitBias", Float32Array, outputs);
  model.thresholds = sections.numbers("thresholds", Float64Array, labelCount + 1);
  const columns = wideBits ? sections.bytes("wide").length * 8 / wideBits / tokenCount : 0;
  expect(Number.isInteger(columns) && columns <= outputs && (columns > 0) === (wideBits > 0), "wide");
  model.wideColumns = columns;
  model.wide = sections.numbers("wide", NUMBERS[wideBits || 8], tokenCount * columns);
  model.wideScales = sections.optional("wideScales", columns);
  model.wideMixing = sections.optional("wideMixing", columns * outputs);
  expect(columns === 0 || columns === outputs || model.wideMixing, "wideMixing");
}

function readNgrams(model, sections) {
  const { buckets, ngramColumns: columns, ngramOutputs: outputs } = model;
  const width = Math.ceil(columns / 2);
  model.ngramValues = sections.numbers("ngramValues", Uint8Array, buckets && buckets * width);
  if (!buckets) return;
  expect(columns <= outputs, "n-grams");
  model.ngramBias = sections.numbers("ngramBias", Float32Array, outputs);
  model.ngramScales = sections.numbers("ngramScales", Float32Array, columns);
  model.ngramMixing = sections.optional("ngramMixing", columns * outputs);
  expect(columns === outputs || model.ngramMixing, "n-grams");
}
