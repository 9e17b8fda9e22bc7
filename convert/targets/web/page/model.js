// The model on the LiteRT engine: ids to probabilities, at an input length that fits the text.

import { SiteError } from "./errors.js";
import { fixedLength, withLength } from "./flatbuffer.js";

const BUCKET_LENGTHS = [16, 32, 64, 128, 256, 512]; // and the longest; compiled on first use

/** Load the engine and return its module; throw a SiteError if the browser cannot run it. */
export async function loadEngine() {
  if (typeof WebAssembly !== "object") {
    throw new SiteError("This browser has no WebAssembly, or it is disabled (a lockdown mode " +
      "does that): the model cannot run here.");
  }
  try {
    const engine = await import("../engine/litert.js");
    await engine.loadLiteRt(new URL("../engine/", import.meta.url).href);
    return engine;
  } catch (error) {
    throw new SiteError("The engine did not start: either a file of the folder engine/ could not " +
      "be downloaded, or this browser has no WebAssembly SIMD (Chrome or Edge 92, Firefox 90, " +
      `Safari 16.4 have it). ${error.message ?? error}`);
  }
}

export class Model {
  /** Wrap the bytes of `model.tflite`, with its vocabulary and the engine. */
  constructor(bytes, vocabulary, engine) {
    try {
      this.fixedLength = fixedLength(bytes);
    } catch {
      throw new SiteError("bundle/model.tflite is damaged: it is not a TFLite model. Upload it " +
        "again.");
    }
    const longest = vocabulary.maxTokens + vocabulary.trailingPadding;
    this.lengths = this.fixedLength
      ? [this.fixedLength]
      : [...BUCKET_LENGTHS.filter((length) => length < longest), longest];
    Object.assign(this, { bytes, engine, padding: vocabulary.trailingPadding });
    this.classes = vocabulary.labels.length;
    this.multiLabel = vocabulary.multiLabel;
    this.compiled = new Map();
  }

  /** Return the probability of each class for the ids of a text. */
  async run(ids) {
    const needed = ids.length + this.padding;
    const length = this.lengths.find((size) => size >= needed) ?? this.lengths.at(-1);
    const model = await this.compile(length);
    const padded = new Int32Array(length);
    padded.set(ids);
    const input = new this.engine.Tensor(padded, [1, length]);
    const [output] = await model.run(input);
    const values = Array.from(output.toTypedArray());
    input.delete();
    output.delete();
    const oneForTwo = values.length === 1 && !this.multiLabel; // a sigmoid
    const probabilities = oneForTwo ? [1 - values[0], values[0]] : values;
    if (probabilities.length !== this.classes || !probabilities.every(Number.isFinite)) {
      throw new SiteError("The model does not output a probability for every class.");
    }
    return probabilities;
  }

  /** Compile the model for every length, so that typing never waits for it. */
  async warmUp() {
    for (const length of this.lengths) await this.run(new Array(length - this.padding).fill(0));
  }

  /** Compile the model for a length, once. */
  compile(length) {
    if (!this.compiled.has(length)) {
      const bytes = this.fixedLength ? this.bytes : withLength(this.bytes, length);
      this.compiled.set(length, this.engine.loadAndCompile(bytes, { accelerator: "wasm" }));
    }
    return this.compiled.get(length);
  }
}
