// The model on the LiteRT engine: ids to probabilities, at a length no longer than the text needs.

import { Failure } from "./failure.js";
import { fixedLength, withLength } from "./flatbuffer.js";

const LENGTHS = [16, 32, 64, 128, 256, 512]; // and the longest; each is compiled when first needed

/** Load the engine and give its module; a Failure says what the browser lacks. */
export async function loadEngine() {
  if (typeof WebAssembly !== "object") {
    throw new Failure("This browser has no WebAssembly, or it is switched off (a lockdown mode " +
      "does that): the model cannot run here.");
  }
  try {
    const engine = await import("../engine/litert.js");
    await engine.loadLiteRt(new URL("../engine/", import.meta.url).href);
    return engine;
  } catch (error) {
    throw new Failure("The engine did not start: either a file of the folder engine/ could not " +
      "be downloaded, or this browser has no WebAssembly SIMD (Chrome or Edge 92, Firefox 90, " +
      `Safari 16.4 have it). ${error.message ?? error}`);
  }
}

export class Model {
  /** Take the bytes of `model.tflite`, the vocabulary that it goes with, and the engine. */
  constructor(bytes, vocabulary, engine) {
    try {
      this.fixed = fixedLength(bytes);
    } catch {
      throw new Failure("bundle/model.tflite is damaged: it is no TFLite model. Upload it again.");
    }
    const longest = vocabulary.maxTokens + vocabulary.trailingPadding;
    this.lengths = this.fixed ? [this.fixed] : [...LENGTHS.filter((n) => n < longest), longest];
    Object.assign(this, { bytes, engine, padding: vocabulary.trailingPadding });
    this.classes = vocabulary.labels.length;
    this.compiled = new Map();
  }

  /** Give the probability of every class for the ids of a text. */
  async run(ids) {
    const length = this.lengths.find((each) => each >= ids.length + this.padding) ??
      this.lengths.at(-1);
    const model = await this.compile(length);
    const padded = new Int32Array(length);
    padded.set(ids);
    const input = new this.engine.Tensor(padded, [1, length]);
    const [output] = await model.run(input);
    const values = Array.from(output.toTypedArray());
    input.delete();
    output.delete();
    const found = values.length === 1 ? [1 - values[0], values[0]] : values; // a sigmoid's
    if (found.length !== this.classes || !found.every(Number.isFinite)) {
      throw new Failure("The model answers something else than a probability for every class.");
    }
    return found;
  }

  /** Compile every length that takes its time at the first run, so that no key waits for it. */
  async warmUp() {
    for (const length of this.lengths) await this.run(new Array(length - this.padding).fill(0));
  }

  /** Compile the model for a length, once. */
  compile(length) {
    if (!this.compiled.has(length)) {
      const bytes = this.fixed ? this.bytes : withLength(this.bytes, length);
      this.compiled.set(length, this.engine.loadAndCompile(bytes, { accelerator: "wasm" }));
    }
    return this.compiled.get(length);
  }
}
