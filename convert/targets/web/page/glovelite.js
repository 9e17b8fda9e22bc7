// @ts-self-types="./glovelite.d.ts"
// Text classifiers of glovelite in JavaScript, without dependencies: model.bin to predictions and
// explanations. glovelite.d.ts, which the first line names for Deno, describes what is exported.

import { Engine } from "./engine.js";
import { GloveliteError, readBytes, resolveAddress } from "./files.js";
import { readModel } from "./model-file.js";
import { NgramWeights } from "./ngrams.js";
import { UNKNOWN_ID, Vocabulary } from "./vocabulary.js";

export { GloveliteError };

const MODEL_FILE = "model.bin";

/** Load the classifier of a folder with a model.bin, or of the address of such a file. */
export async function load(address) {
  const url = await resolveAddress(address);
  if (!url.pathname.endsWith(".bin")) {
    url.pathname += url.pathname.endsWith("/") ? MODEL_FILE : `/${MODEL_FILE}`;
  }
  return new Classifier(await readBytes(url));
}

export class Classifier {
  /** Take the content of a model.bin; throw a GloveliteError if it is damaged or too new. */
  constructor(content) {
    this.model = readModel(content instanceof Uint8Array ? content : new Uint8Array(content));
    this.engine = new Engine(this.model);
    this.vocabulary = new Vocabulary(this.model);
    this.ngrams = this.model.buckets ? new NgramWeights(this.model) : null;
    const { labels, multiLabel, maxTokens, thresholds } = this.model;
    Object.assign(this, { labels, multiLabel, maxTokens });
    this.thresholds = multiLabel ? Array.from(thresholds.subarray(0, labels.length)) : null;
  }

  /** Classify a text. */
  predict(text) {
    return this.#predict(text).prediction;
  }

  /** Return what each token of a text adds to the log odds of a label, the most probable one if
   * none is given, and the rest that belongs to none. */
  explain(text, label) {
    const { prediction, run } = this.#predict(text);
    label ??= prediction.label;
    const index = this.labels.indexOf(label), { tokens, ids } = prediction;
    if (index < 0) throw new GloveliteError(`Expected a label of the model, found “${label}”.`);
    const share = (logits) => labelShare(logits, index, this.multiLabel);
    const parts = this.engine.explain(run, share);
    let total = share(run.logits);
    if (this.ngrams) {
      this.ngrams.split(text, tokens, share).forEach((part, token) => { parts[token] += part; });
      total += share(this.ngrams.logits(text));
    }
    const standIns = tokens.map((token, at) => this.vocabulary.standIn(token, ids[at]));
    return { label, tokens, standIns, parts, rest: parts.reduce((rest, part) => rest - part, total) };
  }

  #predict(text) {
    if (typeof text !== "string") throw new GloveliteError(`Expected a text, found ${typeof text}.`);
    const encoded = this.vocabulary.encode(text), run = this.engine.run(encoded.ids);
    const probabilities = this.ngrams?.addTo(run.probabilities, text) ?? run.probabilities;
    return { run, prediction: this.#decide(encoded, probabilities) };
  }

  #decide({ tokens, ids, truncated, familiarity, corrected }, probabilities) {
    const { labels, model } = this;
    const best = probabilities.indexOf(Math.max(...probabilities));
    const unknown = ids.filter((id) => id === UNKNOWN_ID).length + corrected;
    const known = ids.length ? 1 - unknown / ids.length : 0, unfamiliar = known < model.minKnown;
    const { given, certainty } = this.multiLabel
      ? decideLabels(probabilities, this.thresholds)
      : { given: [best], certainty: probabilities[best] };
    const confidence = lowerConfidence(certainty, familiarity, model);
    const threshold = model.thresholds[this.multiLabel ? labels.length : best];
    return {
      label: labels[best], probability: probabilities[best], probabilities,
      labels: given.map((label) => labels[label]), truncated, known, unfamiliar,
      abstained: unfamiliar || confidence < threshold || threshold >= 1,
      certainty, confidence, threshold, familiarity, corrected, tokens, ids,
    };
  }
}

/** Return the indices of the labels that a text gets, most probable first, and the probability
 * that exactly these are right if labels are independent, as `glovelite.runtime.decision` does. */
function decideLabels(probabilities, thresholds) {
  const isGiven = probabilities.map((probability, index) =>
    probability >= thresholds[index] && thresholds[index] < 1);
  const given = [...probabilities.keys()].filter((index) => isGiven[index])
    .sort((a, b) => probabilities[b] - probabilities[a]);
  const certainty = probabilities.reduce((product, probability, index) =>
    product * (isGiven[index] ? probability : 1 - probability), 1);
  return { given, certainty };
}

/** Lower a probability for a text of unfamiliar words, as `glovelite.runtime.decision` does. */
function lowerConfidence(probability, familiarity, { typical, penalty }) {
  if (familiarity >= typical) return probability;
  return probability / (probability + (1 - probability) * Math.exp(penalty * (typical - familiarity)));
}

/** Return a label's share of logits, one for two classes or one for each label: its own, or relative
 * to the other of two classes or the mean of several. */
function labelShare(logits, label, multiLabel) {
  if (multiLabel) return logits[label];
  if (logits.length === 1) return label ? logits[0] : -logits[0];
  if (logits.length === 2) return logits[label] - logits[1 - label];
  return logits[label] - logits.reduce((a, b) => a + b) / logits.length;
}
