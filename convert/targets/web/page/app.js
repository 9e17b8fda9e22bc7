// The page: classifies text as it is typed, and shows what the prediction is based on.

import { GloveliteError, readBytes } from "./files.js";
import { load } from "./glovelite.js";
import { PIECES } from "./model-file.js";
import { runSelfTest } from "./self-test.js";
import { WORD_START } from "./tokenizer.js";

const BUNDLE = new URL("bundle/", import.meta.url);
const MIN_HIGHLIGHT = 0.05; // share of the largest part below which a word is not colored
const MAX_WORDS = 500; // that are shown with their parts
const LISTED_WORDS = 5; // whose parts are written out
const element = (id) => document.getElementById(id);
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
const count = (number) => number.toLocaleString("en");
const unit = ({ model }) => model.tokenizer === PIECES ? "pieces of words" : "words";
const shown = (token) => token.replace(WORD_START, "") || WORD_START; // a piece without its mark
let rows, nextFrame;

start();

async function start() {
  try {
    const [classifier, manifest] = await Promise.all([load(BUNDLE), loadManifest()]);
    globalThis.classifier = classifier; // for the console and for tests
    showModelFacts(classifier, manifest);
    showSelfTest(classifier, manifest);
    rows = classifier.labels.map((label, index) =>
      createRow(label, classifier.thresholds?.[index]));
    const text = element("text");
    text.disabled = false;
    text.addEventListener("input", () => update(classifier));
    update(classifier);
    document.documentElement.dataset.ready = Math.round(performance.now()); // ms since navigation
    await cacheForOfflineUse();
  } catch (error) {
    showError(error);
  }
}

async function loadManifest() {
  const url = new URL("manifest.json", BUNDLE), bytes = await readBytes(url);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new GloveliteError(`${url} is damaged: it is not JSON. Upload the site again.`);
  }
}

function showSelfTest(classifier, manifest) {
  try {
    const { goldens, largestDifference } = runSelfTest(classifier, manifest);
    showStatus(`Self-test passed: ${goldens} golden texts get the predictions recorded at export ` +
      `(largest difference ${largestDifference.toFixed(4)}).`);
  } catch (error) {
    if (!(error instanceof GloveliteError)) throw error;
    showStatus("Self-test failed.");
    showWarning(`${error.message} Predictions in this browser differ from those at export: do ` +
      "not rely on them. Export the bundle and the site again.");
  }
}

/** Classify the text, and explain the prediction for the next frame. */
function update(classifier) {
  const text = element("text").value, startTime = performance.now();
  const prediction = classifier.predict(text);
  showPrediction(classifier, prediction, performance.now() - startTime);
  nextFrame ??= requestAnimationFrame(() => {
    nextFrame = undefined;
    showWords(classifier, classifier.explain(element("text").value));
  });
}

function showPrediction(classifier, prediction, latency) {
  const { labels, probabilities, tokens } = prediction;
  const answers = labels.map((label) => [isolated(label),
    `, ${percent(probabilities[classifier.labels.indexOf(label)])}`]);
  const found = answers.length ? join(answers, "; ") : ["No label reaches its threshold."];
  element("answer").replaceChildren(...tokens.length ? found : ["No words yet."]);
  element("notes").textContent = tokens.length ? describeCaveats(classifier, prediction) : "";
  rows.forEach(({ row, bar, share }, index) => {
    row.className = labels.includes(classifier.labels[index]) ? "best" : "";
    bar.value = probabilities[index];
    share.textContent = percent(probabilities[index]);
  });
  element("latency").textContent = `From text to answer: ${latency.toFixed(1)} ms.`;
}

function describeCaveats(classifier, prediction) {
  const { unfamiliar, known, abstained, truncated } = prediction, caveats = [];
  if (unfamiliar) {
    caveats.push(`Only ${percent(known, 0)} of the ${unit(classifier)} are in the vocabulary: the ` +
      "prediction says little about the text.");
  } else if (abstained) {
    caveats.push(describeAbstention(prediction));
  }
  if (truncated) {
    caveats.push(`Only the first ${count(classifier.maxTokens)} ${unit(classifier)} were read.`);
  }
  return caveats.join(" ");
}

function describeAbstention({ threshold, certainty }) {
  if (threshold >= 1) {
    return "Export had too few texts to show when such a prediction can be relied on.";
  }
  return certainty >= threshold
    ? "The words are unlike those of the training text: do not rely on the prediction."
    : "The probability is too low to rely on the prediction.";
}

/** Return the table row of a label, with its threshold if it has one, and what changes in it. */
function createRow(label, threshold) {
  const bar = create("progress", { max: 1 }), share = create("td", {});
  bar.setAttribute("aria-hidden", "true");
  const row = create("tr", {}, create("th", { scope: "row", dir: "auto" }, label),
    create("td", {}, bar), share);
  if (threshold !== undefined) {
    const text = threshold < 1 ? `from ${percent(threshold)}` : "never given";
    row.append(create("td", { className: "threshold" }, text));
  }
  element("classes").tBodies[0].append(row);
  return { row, bar, share };
}

function showWords({ model }, { label, tokens, standIns, parts }) {
  element("words-section").hidden = !tokens.length;
  element("explained").textContent = label;
  const largest = Math.max(...parts.map(Math.abs), 1e-9);
  const words = tokens.slice(0, MAX_WORDS).flatMap((token, index) => {
    const share = parts[index] / largest, standIn = standIns[index];
    const isStart = model.tokenizer !== PIECES || token.startsWith(WORD_START);
    const word = create(Math.abs(share) < MIN_HIGHLIGHT ? "span" : "mark", {
      className: share > 0 ? "for" : "against",
      title: signed(parts[index]) + (standIn ? `, read as “${standIn}”` : ""),
    }, shown(token));
    word.dataset.strength = Math.ceil(4 * Math.abs(share));
    return index && isStart ? [" ", word] : [word];
  });
  const rest = tokens.length - MAX_WORDS;
  element("words").replaceChildren(...words, rest > 0 ? ` … and ${count(rest)} more.` : "");
  const order = [...tokens.keys()].sort((a, b) => Math.abs(parts[b]) - Math.abs(parts[a]));
  const listed = order.slice(0, LISTED_WORDS)
    .map((index) => [isolated(shown(tokens[index])), `\u00a0${signed(parts[index])}`]);
  element("words-list").replaceChildren(...join(listed, ", "));
}

function showModelFacts(classifier, manifest) {
  const { labels, model } = classifier, hashed = count(model.hashedCount);
  const test = manifest.accuracy?.test;
  const facts = {
    Classes: labels.join(", "),
    Accuracy: test && `${percent(test.device)} of ${count(test.texts)} test texts (on ${manifest.interpreter})`,
    Abstention: describeShownAccuracy(manifest.abstention),
    Size: `${count(Math.round(model.size / 1000))} kB`,
    Recipe: `${manifest.recipe}, ${manifest.layout} layout, ${manifest.architecture}`,
    Vocabulary: `${count(model.tokenCount)} ${unit(classifier)} listed, ${hashed} hashed; ` +
      `the first ${count(model.maxTokens)} of a text are read`,
    "Trained on": manifest.trained?.corpus?.name,
  };
  element("facts").replaceChildren(...Object.entries(facts).filter(([, value]) => value)
    .flatMap(([name, value]) => [create("dt", {}, name), create("dd", {}, value)]));
}

/** Describe the accuracy of the predictions that the page does not warn of, if it is known. */
function describeShownAccuracy({ accuracy, wanted, evidence } = {}) {
  if (!evidence) return null; // written by an earlier version
  const texts = `${count(evidence.texts)} ${evidence.set.replaceAll("_", "-")} texts`;
  if (accuracy === null) {
    return `no prediction is relied on: ${texts} do not show an accuracy of ${percent(wanted)}`;
  }
  return `the predictions that are relied on are shown to be ${percent(accuracy)} accurate by ` +
    `${texts}${accuracy < wanted ? `, not the wanted ${percent(wanted)}` : ""}`;
}

/** Let the service worker keep this version of the site; browsers allow one over HTTPS only. */
async function cacheForOfflineUse() {
  const state = element("offline");
  try {
    await navigator.serviceWorker.register("service-worker.js");
    await navigator.serviceWorker.ready;
    state.textContent = "available offline";
  } catch {
    state.textContent = navigator.serviceWorker
      ? "not available offline: the browser does not allow it"
      : "not available offline: that needs HTTPS";
  }
}

/** Return an element with properties and content. */
function create(tag, properties, ...content) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...content);
  return created;
}

/** Return text that keeps its direction to itself. */
function isolated(text) {
  return create("bdi", {}, text);
}

/** Return lists as one, with a separator between them: [[1], [2]] → [1, separator, 2]. */
function join(lists, separator) {
  return lists.flatMap((list, index) => index ? [separator, ...list] : list);
}

function showStatus(line) {
  element("status").textContent = line;
}

function showWarning(...content) {
  element("failure").replaceChildren(...content);
  element("failure").hidden = false;
}

/** Show an error and a button to try again. */
function showError(error) {
  console.error(error);
  showStatus("The page does not work.");
  const retry = create("button", { onclick: () => location.reload() }, "Try again");
  showWarning(error instanceof GloveliteError ? error.message : `Unexpected error: ${error}`, " ",
    retry);
}
