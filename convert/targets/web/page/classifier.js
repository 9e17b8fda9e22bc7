// A bundle in the browser: loading, hash checks, predictions and the self-test.

import { SiteError, fetchBytes, fetchJson } from "./errors.js";
import { HashedWords } from "./hashed-words.js";
import { loadEngine, Model } from "./model.js";
import { NgramWeights } from "./ngrams.js";
import { UNKNOWN_ID, Vocabulary } from "./vocabulary.js";

const MAX_TOLERANCE = 0.02; // of a probability; bundles of version 0.1.0 name none
const MULTI_LABEL_BUNDLE = 3, NGRAM_BUNDLE = 4, MANIFEST_FORMAT = NGRAM_BUNDLE;
const DEFAULT_THRESHOLD = 0.5;
const HASHED_WORDS_FILE = "hashed_words.bin", NGRAMS_FILE = "ngrams.bin";
const OPTIONAL_FILES = [HASHED_WORDS_FILE, NGRAMS_FILE];

export class Classifier {
  /** Load a bundle's folder; throw a SiteError if it is missing, damaged or too new. */
  static async load(folder, log) {
    log("Loading the bundle …");
    const [model, vocabularyFile, manifest] = await Promise.all([
      fetchBytes(`${folder}/model.tflite`),
      fetchJson(`${folder}/vocab.json`),
      fetchJson(`${folder}/manifest.json`),
    ]);
    if (!(manifest.content?.format <= MANIFEST_FORMAT)) {
      throw new SiteError("bundle/manifest.json has a format that this page cannot read: write " +
        "the site again with the glovelite that exported the bundle.");
    }
    const files = { "model.tflite": model, "vocab.json": vocabularyFile.bytes };
    for (const name of OPTIONAL_FILES) {
      if (manifest.content.files?.[name]) files[name] = await fetchBytes(`${folder}/${name}`);
    }
    await checkHashes(files, manifest.content);
    log("Loading the engine …");
    const engine = await loadEngine();
    const index = files[HASHED_WORDS_FILE];
    const listed = vocabularyFile.content?.tokens?.length;
    const hashedWords = index && new HashedWords(index, listed);
    const vocabulary = new Vocabulary(vocabularyFile.content, hashedWords);
    const { format } = manifest.content;
    if (format !== NGRAM_BUNDLE && vocabulary.multiLabel !== (format === MULTI_LABEL_BUNDLE)) {
      throw new SiteError("bundle/manifest.json and bundle/vocab.json are of different bundles: " +
        "write the site again.");
    }
    const contents = [...Object.values(files), manifest.bytes];
    const bytes = contents.reduce((total, content) => total + content.length, 0);
    const ngrams = files[NGRAMS_FILE] && new NgramWeights(files[NGRAMS_FILE], vocabulary);
    return new Classifier(new Model(model, vocabulary, engine), vocabulary, manifest.content, bytes,
      ngrams);
  }

  constructor(model, vocabulary, manifest, bytes, ngrams) {
    Object.assign(this, { model, vocabulary, manifest, bytes, ngrams });
    const { probability = 0, known = 0, labels = {}, familiarity } = manifest.abstention ?? {};
    Object.assign(this, { minConfidence: probability, minKnown: known, penalty: familiarity });
    this.minConfidenceOf = new Map(Object.entries(labels));
    const thresholds = new Map(Object.entries(manifest.thresholds ?? {}));
    this.thresholds = vocabulary.multiLabel // of each label; null if a text has exactly one
      ? vocabulary.labels.map((label) => thresholds.get(label) ?? DEFAULT_THRESHOLD) : null;
  }

  /** Classify a text; returns the fields of `runtime.Prediction`, tokens, ids and stand-ins, and
   * the model's probabilities without character n-grams. */
  async predict(text) {
    const { tokens, ids, truncated, familiarity, corrected } = this.vocabulary.encode(text);
    const modelProbabilities = await this.model.run(ids);
    const probabilities = this.ngrams?.addTo(modelProbabilities, text) ?? modelProbabilities;
    const best = probabilities.indexOf(Math.max(...probabilities));
    const unknown = ids.filter((id) => id === UNKNOWN_ID).length + corrected;
    const known = ids.length ? 1 - unknown / ids.length : 0;
    const unfamiliar = known < this.minKnown;
    const label = this.vocabulary.labels[best];
    const { given, certainty } = this.thresholds
      ? decideLabels(probabilities, this.thresholds)
      : { given: [best], certainty: probabilities[best] };
    const labels = given.map((index) => this.vocabulary.labels[index]);
    const confidence = this.confidence(certainty, familiarity);
    const threshold = this.minConfidenceOf.get(label) ?? this.minConfidence;
    const abstained = unfamiliar || confidence < threshold || threshold >= 1;
    const standIns = tokens.map((token, index) => this.vocabulary.standIn(token, ids[index]));
    return { text, tokens, ids, standIns, truncated, probabilities, modelProbabilities, best, label, given, labels, known,
      unfamiliar, abstained, certainty, confidence, threshold, familiarity };
  }

  /** Lower a probability for a text of unfamiliar words, as `glovelite.runtime.decision` does. */
  confidence(probability, familiarity) {
    if (!this.penalty || familiarity >= this.penalty.typical) return probability;
    const factor = Math.exp(this.penalty.penalty * (this.penalty.typical - familiarity));
    return probability / (probability + (1 - probability) * factor);
  }

  /** Replay the golden texts; throw a SiteError if tokens, ids or probabilities differ. */
  async selfTest() {
    const goldens = this.manifest.goldens ?? [];
    if (!goldens.length) throw new SiteError("The manifest has no golden texts.");
    const tolerance = Math.min(this.manifest.tolerance ?? MAX_TOLERANCE, MAX_TOLERANCE);
    let largestDifference = 0;
    for (const golden of goldens) {
      const name = `The golden text “${golden.text.slice(0, 40)}”`;
      const prediction = await this.predict(golden.text);
      for (const field of ["tokens", "ids", "truncated"]) {
        const expected = golden[field] ?? prediction[field]; // old bundles record no tokens
        if (JSON.stringify(prediction[field]) !== JSON.stringify(expected)) {
          throw new SiteError(`${name} has different ${field}.`);
        }
      }
      if (Math.abs(prediction.familiarity - (golden.familiarity ?? prediction.familiarity)) > 1e-5) {
        throw new SiteError(`${name} has a different familiarity.`);
      }
      prediction.probabilities.forEach((probability, index) => {
        const difference = Math.abs(probability - golden.probabilities[index]);
        largestDifference = Math.max(largestDifference, difference);
      });
      if (!(largestDifference <= tolerance)) {
        throw new SiteError(`${name} has a probability that differs by ` +
          `${largestDifference.toFixed(4)}.`);
      }
    }
    return { goldens: goldens.length, largestDifference };
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

/** Compare files with the sizes in the manifest, and with its hashes if the browser has them. */
async function checkHashes(files, manifest) {
  for (const [name, bytes] of Object.entries(files)) {
    const expected = manifest.files?.[name];
    const sha256 = globalThis.crypto?.subtle && hex(await crypto.subtle.digest("SHA-256", bytes));
    if (bytes.length !== expected?.bytes || (sha256 && sha256 !== expected.sha256)) {
      throw new SiteError(`bundle/${name} is damaged: it is not the file that the manifest ` +
        "describes. Upload the bundle again.");
    }
  }
}

function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
