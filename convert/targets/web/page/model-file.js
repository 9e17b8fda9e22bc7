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
  "mixing",
];
export const PUNCTUATION = 1, PIECES = 2; // tokenizers other than that of words alone
const SETTINGS = { // integers: the least and the most
  tokenizer: [0, PIECES], maxTokens: [1, 1 << 16], tokenCount: [2, 1 << 24],
  labelCount: [2, 1 << 16], outputs: [1, 1 << 16], flags: [0, 7], rowBits: [4, 32],
  rowColumns: [1, 1 << 20], kernelCount: [1, 256], wideBits: [0, 32], hashedCount: [0, 1 << 24],
  slots: [1, 1 << 26], buckets: [0, 1 << 20], longestNgram: [0, 8], ngramCharacters: [0, 1 << 16],
  ngramColumns: [0, 16], shortest: [0, 24], letterCount: [0, 64],
};
const REALS = ["minKnown", "typical", "penalty", "hashedLevel"];
const MULTI_LABEL = 1, SOFTMAX = 2, FOLDED = 4; // flags
const MAX_TAPS = 64;
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
  const words = new Uint32Array(content.buffer, content.byteOffset, content.length >> 2);
  if (content.length < HEADER_BYTES || words[0] !== MAGIC) { // also where numbers are big-endian
    throw new GloveliteError("The file is no model.bin of glovelite.");
  }
  if (words[1] > VERSION) {
    throw new GloveliteError("model.bin was written for a newer page: take the files beside it.");
  }
  expect(words[1] === VERSION, "version");
  if (words[2] !== content.length || content.length % ALIGNMENT) {
    throw new GloveliteError("model.bin has lost bytes, or has too many: copy it again.");
  }
  let hash = 2166136261;
  for (let at = CHECKED_FROM / 4; at < words.length; at++) {
    hash = Math.imul(hash ^ words[at], 16777619);
  }
  if (hash >>> 0 !== words[3]) {
    throw new GloveliteError("model.bin is damaged: its bytes were changed. Copy it again.");
  }
}

/** The table of sections: the bytes of each by its name, none for those that are missing. */
class Sections {
  constructor(content) {
    const words = new Uint32Array(content.buffer, content.byteOffset, content.length / 4);
    const count = words[4], end = (HEADER_BYTES + count * ENTRY_BYTES) / 4;
    expect(count <= SECTIONS.length && end <= words.length, "sections");
    this.found = new Map();
    for (let entry = HEADER_BYTES / 4; entry < end; entry += ENTRY_BYTES / 4) {
      const [kind, start, size] = words.subarray(entry, entry + 3), name = SECTIONS[kind - 1];
      expect(name && !this.found.has(name) && start % ALIGNMENT === 0 &&
        start + size <= content.length, "sections");
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

  /** Return the numbers of a section, or null if it is missing and may be. */
  optional(name, count, Type = Float32Array) {
    return this.bytes(name).length ? this.numbers(name, Type, count) : null;
  }
}

const isBetween = (value, least, most) => value >= least && value <= most;
const isPowerOfTwo = (value) => (value & (value - 1)) === 0;
const pad = (count, block) => Math.ceil(count / block) * block;

function readSettings(sections) {
  const bytes = sections.bytes("settings"), integers = Object.entries(SETTINGS), model = {};
  expect(bytes.length === 4 * integers.length + 8 * REALS.length, "settings");
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, integers.length);
  integers.forEach(([name, [least, most]], index) => {
    model[name] = words[index];
    expect(isBetween(words[index], least, most), name);
  });
  const reals = new Float64Array(bytes.buffer, bytes.byteOffset + words.byteLength, REALS.length);
  REALS.forEach((name, index) => { model[name] = reals[index]; });
  const { flags, labelCount, outputs, rowBits, wideBits, buckets } = model;
  model.multiLabel = (flags & MULTI_LABEL) !== 0;
  model.softmax = (flags & SOFTMAX) !== 0;
  model.folded = (flags & FOLDED) !== 0;
  model.ngramOutputs = labelCount === 2 && !model.multiLabel ? 1 : labelCount;
  expect([labelCount, model.ngramOutputs].includes(outputs), "outputs");
  expect(model.softmax === (!model.multiLabel && outputs > 1), "outputs");
  expect(rowBits in NUMBERS && (!wideBits || (wideBits > 4 && wideBits in NUMBERS)), "bits");
  expect(isPowerOfTwo(model.slots) && (!buckets || isPowerOfTwo(buckets)), "slots");
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
  model.levels = sections.optional("levels", model.tokenCount, Uint8Array);
}

function readWeights(model, sections) {
  const { tokenCount, labelCount, outputs, features, rowBits, rowColumns, wideBits } = model;
  const rowNumbers = rowBits === 4 ? Math.ceil(rowColumns / 2) : rowColumns;
  model.rows = sections.numbers("rows", NUMBERS[rowBits], tokenCount * rowNumbers);
  model.rowScales = sections.optional("rowScales", tokenCount);
  model.kernelValues = model.folded ? null
    : sections.numbers("kernels", Float32Array, model.columns * rowColumns);
  model.featureBias = sections.numbers("featureBias", Float32Array, features);
  model.logitBias = sections.numbers("logitBias", Float32Array, outputs);
  model.thresholds = sections.numbers("thresholds", Float64Array, labelCount + 1);
  const columns = wideBits ? sections.bytes("wide").length * 8 / wideBits / tokenCount : 0;
  expect(Number.isInteger(columns) && columns <= outputs && (columns > 0) === (wideBits > 0), "wide");
  model.wideColumns = columns;
  model.wide = sections.numbers("wide", NUMBERS[wideBits || 8], tokenCount * columns);
  model.wideScales = sections.optional("wideScales", columns);
  const shares = sections.bytes("mixing").length > 0;
  model.featureColumns = sections.bytes("logitWeights").length / 4 / features;
  expect(shares ? model.featureColumns <= outputs : model.featureColumns === outputs, "logitWeights");
  expect(shares || columns === 0 || columns === outputs, "mixing");
  model.logitWeights = sections.numbers("logitWeights", Float32Array, model.featureColumns * features);
  model.sharedColumns = pad(model.featureColumns + columns, FILTER_BLOCK);
  model.mixing = sections.optional("mixing", model.sharedColumns * outputs);
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
