#!/usr/bin/env node
// Classifies texts for the tests, as tests/c/driver.c does: driver MODEL < texts > lines of JSON.
//
// A text is its length, as 4 bytes, and its bytes. The first line has the message of a model that
// cannot be loaded; each other one a text's prediction and what its tokens add to log odds.
import { readFileSync } from "node:fs";

import { Classifier, GloveliteError } from "../../convert/targets/web/page/glovelite.js";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const write = (value) => console.log(JSON.stringify(value));

function* readTexts(stdin) {
  for (let at = 0; at < stdin.length;) {
    const start = at + 4;
    at = start + stdin.readUInt32LE(at);
    yield decoder.decode(stdin.subarray(start, at));
  }
}

try {
  const classifier = new Classifier(readFileSync(process.argv[2]));
  write({ labels: classifier.labels });
  for (const text of readTexts(readFileSync(0))) {
    const prediction = classifier.predict(text), explanation = classifier.explain(text);
    const label = classifier.labels.indexOf(prediction.label);
    const given = prediction.labels.map((name) => classifier.labels.indexOf(name));
    write({ ...explanation, ...prediction, label, given });
  }
} catch (error) {
  if (!(error instanceof GloveliteError)) throw error;
  write({ message: error.message });
}
