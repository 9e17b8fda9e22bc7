// A bundle in the browser: loaded, checked against its own hashes and golden texts, asked.

import { Failure, fetchBytes, fetchJson } from "./failure.js";
import { loadEngine, Model } from "./model.js";
import { UNKNOWN, Vocabulary } from "./vocabulary.js";

const TOLERANCES = { float32: 1e-4, float16: 1e-4, int4: 1e-4, dynamic: 0.02, int8: 0.02 };
const FORMAT = 1;

export class Classifier {
  /** Load a bundle's folder; a Failure says what is wrong with it. */
  static async load(folder, say) {
    say("Loading the bundle …");
    const [model, vocabulary, manifest] = await Promise.all([
      fetchBytes(`${folder}/model.tflite`),
      fetchJson(`${folder}/vocab.json`),
      fetchJson(`${folder}/manifest.json`),
    ]);
    if (!(manifest.content?.format <= FORMAT)) {
      throw new Failure("bundle/manifest.json is not one this page can read: make the site anew.");
    }
    const files = { "model.tflite": model, "vocab.json": vocabulary.bytes };
    await checkHashes(files, manifest.content);
    say("Loading the engine …");
    const engine = await loadEngine();
    const words = new Vocabulary(vocabulary.content);
    const classifier = new Classifier(new Model(model, words, engine), words, manifest.content);
    classifier.bytes = model.length + vocabulary.bytes.length + manifest.bytes.length;
    return classifier;
  }

  constructor(model, vocabulary, manifest) {
    Object.assign(this, { model, vocabulary, manifest });
    const asked = manifest.abstention ?? {};
    this.asked = { probability: asked.probability ?? 0, known: asked.known ?? 0 };
  }

  /** Classify a text; what comes back is what `runtime` calls a prediction. */
  async predict(text) {
    const { tokens, ids, truncated } = this.vocabulary.encode(text);
    const probabilities = await this.model.run(ids);
    const best = probabilities.indexOf(Math.max(...probabilities));
    const known = ids.length ? ids.filter((id) => id !== UNKNOWN).length / ids.length : 0;
    const unfamiliar = known < this.asked.known;
    const abstained = unfamiliar || probabilities[best] < this.asked.probability;
    const label = this.vocabulary.labels[best];
    return { tokens, ids, truncated, probabilities, best, label, known, unfamiliar, abstained };
  }

  /** Replay the golden texts; give how many and the largest difference, or throw a Failure. */
  async selfTest() {
    const goldens = this.manifest.goldens ?? [];
    const tolerance = TOLERANCES[this.manifest.recipe] ?? 0.02;
    let largest = 0;
    for (const golden of goldens) {
      const name = `The golden text “${golden.text.slice(0, 40)}”`;
      const found = await this.predict(golden.text);
      const tokens = golden.tokens ?? found.tokens;
      for (const [what, a, b] of [["tokens", found.tokens, tokens], ["ids", found.ids, golden.ids],
        ["truncated", found.truncated, golden.truncated]]) {
        if (JSON.stringify(a) !== JSON.stringify(b)) throw new Failure(`${name}: other ${what}.`);
      }
      found.probabilities.forEach((probability, place) => {
        largest = Math.max(largest, Math.abs(probability - golden.probabilities[place]));
      });
      if (!(largest <= tolerance)) {
        throw new Failure(`${name}: a probability is ${largest.toFixed(4)} off.`);
      }
    }
    if (!goldens.length) throw new Failure("The manifest has no golden texts.");
    return { goldens: goldens.length, largest };
  }
}

/** Compare the files with the hashes in the manifest, where the browser lets a page compute them. */
async function checkHashes(files, manifest) {
  for (const [name, bytes] of Object.entries(files)) {
    const told = manifest.files?.[name];
    const found = globalThis.crypto?.subtle && hex(await crypto.subtle.digest("SHA-256", bytes));
    if (bytes.length !== told?.bytes || (found && found !== told.sha256)) {
      throw new Failure(`bundle/${name} is damaged: it is not the file the manifest tells of. ` +
        "Upload the bundle again.");
    }
  }
}

function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
