// Replays the golden texts of a bundle: what they gave where it was exported, they should give here.

import { GloveliteError } from "./files.js";

const MAX_TOLERANCE = 0.02; // of a probability
const FAMILIARITY_TOLERANCE = 1e-5;

/** Return the number of golden texts and the largest difference of a probability; throw a
 * GloveliteError if tokens, ids, familiarity or probabilities differ. */
export function runSelfTest(classifier, { goldens = [], tolerance = MAX_TOLERANCE }) {
  let largestDifference = 0;
  for (const golden of goldens) {
    const prediction = classifier.predict(golden.text);
    const fail = (problem) => {
      throw new GloveliteError(`The golden text “${golden.text.slice(0, 40)}” has ${problem}.`);
    };
    for (const field of ["tokens", "ids", "truncated"]) {
      if (JSON.stringify(prediction[field]) !== JSON.stringify(golden[field])) {
        fail(`different ${field}`);
      }
    }
    const { familiarity = prediction.familiarity } = golden;
    if (!(Math.abs(prediction.familiarity - familiarity) <= FAMILIARITY_TOLERANCE)) {
      fail("a different familiarity");
    }
    const differences = prediction.probabilities
      .map((probability, label) => Math.abs(probability - golden.probabilities[label]));
    largestDifference = Math.max(largestDifference, ...differences);
    if (!(largestDifference <= Math.min(tolerance, MAX_TOLERANCE))) {
      fail(`a probability that differs by ${largestDifference.toFixed(4)}`);
    }
  }
  if (!goldens.length) throw new GloveliteError("The manifest has no golden texts.");
  return { goldens: goldens.length, largestDifference };
}
