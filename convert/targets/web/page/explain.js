// Which words decided: what the label's logit loses when a word becomes the unknown word.

import { UNKNOWN } from "./vocabulary.js";

const MOST_WORDS = 200; // asked about, from the start of a text: each costs a run of the model
const LEAST = 1e-7; // a probability, so that its logarithm is finite

/** Give a part of the logit for each of the first words; null once `stale()` says so. */
export async function explain(model, prediction, stale) {
  const { ids, best } = prediction;
  const whole = logit(prediction.probabilities, best);
  const parts = [];
  for (let place = 0; place < Math.min(ids.length, MOST_WORDS); place++) {
    const without = ids.slice();
    without[place] = UNKNOWN;
    parts.push(ids[place] === UNKNOWN ? 0 : whole - logit(await model.run(without), best));
    if (place % 8 === 7) await new Promise((resolve) => setTimeout(resolve)); // let keys be heard
    if (stale()) return null;
  }
  return parts;
}

/** The label's log odds: of two classes against the other, of more against the mean of all. */
function logit(probabilities, place) {
  const logs = probabilities.map((each) => Math.log(Math.max(each, LEAST)));
  if (logs.length === 2) return logs[place] - logs[1 - place];
  return logs[place] - logs.reduce((a, b) => a + b) / logs.length;
}
