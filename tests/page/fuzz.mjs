// Loads damaged models for the tests: fuzz MODEL COUNT; prints how many were accepted and refused.
//
// Most damages rewrite the checksum, so that the checks behind it are what is tested. A model that is
// accepted classifies a few texts. Any other error than a refusal ends the program.
import { readFileSync } from "node:fs";

import { Classifier, GloveliteError } from "../../convert/targets/web/page/glovelite.js";

const HOSTILE = [0, 1, 2, 3, 4, 7, 16, 255, 256, 65535, 65536, 1 << 20, 1 << 24, 0x7fffffff,
  0x80000000, 0xfffffff0, 0xffffffff];
const TEXTS = ["", "The film's great: don't miss it!", "don't l'amande दिन _a_b", "\ud800 日本 😂!?",
  "a small brid that sings in the tree"];
const FIRST_BYTES = 512; // header, table of sections and settings
const content = readFileSync(process.argv[2]), rounds = Number(process.argv[3]);
let state = 1;

function draw(limit) { // xorshift
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % limit;
}

function damage(bytes) {
  const view = new DataView(bytes.buffer), words = bytes.length >> 2;
  const at = draw(draw(2) ? Math.min(FIRST_BYTES, 4 * words) : 4 * words), word = at & ~3;
  const changes = [
    () => { bytes[at] ^= 1 << draw(8); },
    () => { bytes[at] = draw(256); },
    () => view.setUint32(word, HOSTILE[draw(HOSTILE.length)], true),
    () => view.setUint32(word, view.getUint32(word, true) + draw(9) - 4, true),
    () => view.setUint32(word, view.getUint32(4 * draw(words), true), true),
  ];
  changes[draw(changes.length)]();
}

function writeChecksum(bytes) {
  const view = new DataView(bytes.buffer);
  view.setUint32(8, bytes.length, true);
  let hash = 2166136261;
  for (let at = 16; at + 4 <= bytes.length; at += 4) {
    hash = Math.imul(hash ^ view.getUint32(at, true), 16777619);
  }
  view.setUint32(12, hash, true);
}

function isAccepted(bytes) {
  let classifier;
  try {
    classifier = new Classifier(bytes);
  } catch (error) {
    if (error instanceof GloveliteError) return false;
    throw error;
  }
  for (const text of TEXTS) {
    classifier.predict(text);
    classifier.explain(text, classifier.labels[0]);
  }
  return true;
}

let accepted = 0;
for (let round = 0; round < rounds; round++) {
  const size = draw(8) ? content.length : 64 + draw(content.length - 64);
  const bytes = new Uint8Array(content.subarray(0, size));
  for (let count = draw(4); count >= 0; count--) damage(bytes);
  if (draw(8)) writeChecksum(bytes);
  accepted += Number(isAccepted(bytes));
}
console.log(accepted, rounds - accepted);
