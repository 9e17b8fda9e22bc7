// Attributes a prediction to words: the loss of the label's logit when a word becomes unknown, and
// what the word's character n-grams add.

import { UNKNOWN_ID } from "./vocabulary.js";

const MAX_WORDS = 200; // explained, from the start of a text: each costs one inference
const MIN_PROBABILITY = 1e-7; // keeps logarithms finite
const WORDS_PER_TURN = 8; // between pauses in which the browser handles keys

/** Return an attribution for each of the first words, or null once `isStale()` is true. */
export async function explain({ model, ngrams }, prediction, isStale) {
  const { text, tokens, ids, best, modelProbabilities } = prediction;
  const labelLogit = model.multiLabel ? ownLogit : relativeLogit;
  const logit = labelLogit(modelProbabilities, best);
  const added = ngrams?.split(text, tokens, (logits) => relativeTo(logits, best, model.multiLabel));
  const attributions = [];
  for (let index = 0; index < Math.min(ids.length, MAX_WORDS); index++) {
    let attribution = added?.[index] ?? 0;
    if (ids[index] !== UNKNOWN_ID) {
      const without = ids.slice();
      without[index] = UNKNOWN_ID;
      attribution += logit - labelLogit(await model.run(without), best);
    }
    attributions.push(attribution);
    if (index % WORDS_PER_TURN === WORDS_PER_TURN - 1) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    if (isStale()) return null;
  }
  return attributions;
}

/** Return the log odds of a label that does not depend on the others. */
function ownLogit(probabilities, index) {
  const logs = [probabilities[index], 1 - probabilities[index]]
    .map((probability) => Math.log(Math.max(probability, MIN_PROBABILITY)));
  return logs[0] - logs[1];
}

/** Return a label's log odds: against the other of two classes, or the mean of several. */
function relativeLogit(probabilities, index) {
  const logs = probabilities
    .map((probability) => Math.log(Math.max(probability, MIN_PROBABILITY)));
  return relativeTo(logs, index, false);
}

/** Return a label's share of logits, one for two classes or one for each label. */
function relativeTo(logits, index, multiLabel) {
  if (multiLabel) return logits[index];
  if (logits.length === 1) return index ? logits[0] : -logits[0];
  if (logits.length === 2) return logits[index] - logits[1 - index];
  return logits[index] - logits.reduce((a, b) => a + b) / logits.length;
}
