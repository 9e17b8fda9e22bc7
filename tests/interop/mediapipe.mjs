/** MediaPipe's TextClassifier for the web in Node: `node mediapipe.mjs model.tflite`.
 *
 * Reads a JSON string a line from standard input, writes `{label: score}` a line.
 */

import { readFileSync } from "node:fs";

// What the package expects of a browser's worker and Node lacks.
globalThis.self = globalThis;
globalThis.navigator ??= { userAgent: "Node.js" }; // until Node 21
globalThis.OffscreenCanvas ??= class {}; // made on load; only images are drawn on it
globalThis.importScripts = () => {
  throw new TypeError("as in a module worker: the package then uses import()");
};
// Everything is read from files, but the package also sends metrics to Google: not from tests.
globalThis.fetch = () => Promise.reject(new Error("requests are refused"));
console.log = console.error; // MediaPipe's log; standard output is for answers

const { FilesetResolver, TextClassifier } = await import("@mediapipe/tasks-text");
const wasm = new URL("node_modules/@mediapipe/tasks-text/wasm", import.meta.url).href;
const classifier = await TextClassifier.createFromModelBuffer(
  await FilesetResolver.forTextTasks(wasm, true),
  readFileSync(process.argv[2]),
);
for (const line of readFileSync(0, "utf8").split("\n").slice(0, -1)) {
  const [{ categories }] = classifier.classify(JSON.parse(line)).classifications;
  const scores = categories.map(({ categoryName, score }) => [categoryName, score]);
  process.stdout.write(`${JSON.stringify(Object.fromEntries(scores))}\n`);
}
classifier.close();
