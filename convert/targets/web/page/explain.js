// Attributes a prediction to words: the loss of the label's logit when a word becomes unknown.

import { UNKNOWN_ID } from "./vocabulary.js";

const MAX_WORDS = 200; // explained, from the start of a text: each costs one inference
const MIN_PROBABILITY = 1e-7; // keeps logarithms finite
const WORDS_PER_TURN = 8; // between pauses in which the browser handles keys

/** Return an attribution for each of the first words, or null once `isStale()` is true. */
export async function explain(model, { ids, best, probabilities }, isStale) {
  const labelLogit = model.multiLabel ? ownLogit : relativeLogit;
  const logit = labelLogit(probabilities, best);
  const attributions = [];
  for (let index = 0; index < Math.min(ids.length, MAX_WORDS); index++) {
    let attribution = 0;
    if (ids[index] !== UNKNOWN_ID) {
      const without = ids.slice();
      without[index] = UNKNOWN_ID;
      attribution = logit - labelLogit(await model.run(without), best);
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
  if (logs.length === 2) return logs[index] - logs[1 - index];
  return logs[index] - logs.reduce((a, b) => a + b) / logs.length;
}
