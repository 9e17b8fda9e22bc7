// The page: classifies text as it is typed, and shows what the prediction is based on.

import { Classifier } from "./classifier.js";
import { explain } from "./explain.js";
import { SiteError } from "./errors.js";

const EXPLAIN_DELAY = 250; // ms without a key before the text is explained
const EXAMPLE = "It wasn't bad at all, I even laughed once or twice.";
const MAX_TITLE_CLASSES = 4;
const MIN_HIGHLIGHT = 0.05; // share of the largest attribution below which a word is not colored
const element = (id) => document.getElementById(id);
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
let latestRequest = 0; // results of earlier requests are dropped

start();

async function start() {
  try {
    const startTime = performance.now();
    const classifier = await Classifier.load("bundle", showStatus);
    const { labels, multiLabel } = classifier.vocabulary;
    document.title = labels.length > MAX_TITLE_CLASSES
      ? "Text classifier" : `${labels.join(multiLabel ? ", " : " or ")}?`;
    element("title").textContent = document.title;
    showModelFacts(classifier);
    await runSelfTest(classifier);
    globalThis.classifier = classifier; // for the console and for tests
    const text = element("text");
    text.value ||= EXAMPLE;
    text.disabled = false;
    text.addEventListener("input", () => update(classifier));
    await update(classifier);
    document.documentElement.dataset.ready = Math.round(performance.now() - startTime);
    await classifier.model.warmUp();
    cacheForOfflineUse();
  } catch (error) {
    showError(error);
  }
}

/** Replay the golden texts and show the result. */
async function runSelfTest(classifier) {
  try {
    const { goldens, largestDifference } = await classifier.selfTest();
    showStatus(`Self-test passed: ${goldens} golden texts get the predictions recorded at export ` +
      `(largest difference ${largestDifference.toFixed(4)}).`);
  } catch (error) {
    if (!(error instanceof SiteError)) throw error;
    showStatus("Self-test failed.");
    showWarning(`${error.message} Predictions in this browser differ from those at export: do ` +
      "not rely on them. Export the bundle and the site again.");
  }
}

/** Classify the text, and explain the prediction once typing pauses. */
async function update(classifier) {
  const request = ++latestRequest, text = element("text").value, startTime = performance.now();
  const isStale = () => request !== latestRequest;
  try {
    const prediction = await classifier.predict(text);
    const latency = performance.now() - startTime;
    if (isStale()) return;
    showPrediction(classifier, prediction, latency);
    element("words-section").hidden = true;
    await new Promise((resolve) => setTimeout(resolve, EXPLAIN_DELAY));
    if (isStale() || !prediction.ids.length) return;
    const attributions = await explain(classifier, prediction, isStale);
    if (attributions) showWords(prediction, attributions);
  } catch (error) {
    showError(error);
  }
}

function showPrediction({ vocabulary, thresholds }, prediction, latency) {
  const { ids, given, labels, probabilities } = prediction;
  const answers = given.map((index, rank) => `${labels[rank]}, ${percent(probabilities[index])}`);
  element("answer").textContent = ids.length
    ? answers.join("; ") || "No label reaches its threshold."
    : "No words yet.";
  element("notes").textContent = describeCaveats(vocabulary, prediction);
  const rows = probabilities.map((probability, index) => {
    const row = classRow(vocabulary.labels[index], probability, thresholds?.[index]);
    row.classList.toggle("best", given.includes(index));
    return row;
  });
  element("classes").tBodies[0].replaceChildren(...rows);
  element("latency").textContent = `From text to answer: ${latency.toFixed(1)} ms.`;
}

function describeCaveats(vocabulary, prediction) {
  const { ids, unfamiliar, known, abstained, truncated, threshold, certainty } = prediction;
  const caveats = [];
  if (ids.length && unfamiliar) {
    caveats.push(`Only ${percent(known, 0)} of the words are in the vocabulary: the prediction ` +
      "says little about the text.");
  } else if (ids.length && abstained) {
    caveats.push(describeAbstention(threshold, certainty));
  }
  if (truncated) caveats.push(`Only the first ${vocabulary.maxTokens} words were read.`);
  return caveats.join(" ");
}

function describeAbstention(threshold, certainty) {
  if (threshold >= 1) {
    return "Export had too few texts to show when such a prediction can be relied on.";
  }
  return certainty >= threshold
    ? "The words are unlike those of the training text: do not rely on the prediction."
    : "The probability is too low to rely on the prediction.";
}

/** Return the table row of a label, with its threshold if it has one. */
function classRow(label, probability, threshold) {
  const row = document.createElement("tr");
  const bar = Object.assign(document.createElement("progress"), { max: 1, value: probability });
  bar.setAttribute("aria-hidden", "true");
  const header = Object.assign(document.createElement("th"), { scope: "row", textContent: label });
  const cells = [bar, percent(probability)].map((content) => {
    const cell = document.createElement("td");
    cell.append(content);
    return cell;
  });
  row.append(header, ...cells);
  if (threshold !== undefined) {
    const textContent = threshold < 1 ? `from ${percent(threshold)}` : "never given";
    row.append(Object.assign(document.createElement("td"), { className: "threshold", textContent }));
  }
  return row;
}

function showWords({ tokens, standIns, label }, attributions) {
  element("explained").textContent = label;
  const largest = Math.max(...attributions.map(Math.abs), 1e-9);
  const spans = attributions.flatMap((attribution, index) => {
    const share = attribution / largest;
    const span = document.createElement(Math.abs(share) < MIN_HIGHLIGHT ? "span" : "mark");
    span.textContent = tokens[index];
    span.className = share > 0 ? "for" : "against";
    span.dataset.strength = Math.ceil(4 * Math.abs(share));
    span.title = signed(attribution) + (standIns[index] ? `, read as “${standIns[index]}”` : "");
    return [span, " "];
  });
  const rest = tokens.length - attributions.length;
  element("words").replaceChildren(...spans, rest ? `… and ${rest} more, not explained.` : "");
  const order = [...attributions.keys()]
    .sort((a, b) => Math.abs(attributions[b]) - Math.abs(attributions[a]));
  element("words-list").textContent = order.slice(0, 5)
    .map((index) => `${tokens[index]} ${signed(attributions[index])}`)
    .join(", ");
  element("words-section").hidden = false;
}

function showModelFacts({ manifest, vocabulary, bytes }) {
  const test = manifest.accuracy?.test;
  const kilobytes = Math.round(bytes / 1000).toLocaleString("en");
  const facts = {
    Classes: vocabulary.labels.join(", "),
    Accuracy: test && `${percent(test.device)} of ${test.texts.toLocaleString("en")} test texts (on ${manifest.interpreter})`,
    Abstention: describeShownAccuracy(manifest.abstention),
    Size: `${kilobytes} kB: model, vocabulary and manifest`,
    Recipe: `${manifest.recipe}, ${manifest.layout} layout, ${manifest.architecture}`,
    Vocabulary: `${vocabulary.tokens.length.toLocaleString("en")} words listed, ` +
      `${vocabulary.hashedWords.size.toLocaleString("en")} hashed; reads up to ${vocabulary.maxTokens} words of a text`,
    "Trained on": manifest.trained?.corpus?.name,
  };
  const items = Object.entries(facts)
    .filter(([, value]) => value)
    .flatMap(([name, value]) => [["dt", name], ["dd", value]])
    .map(([tag, textContent]) => Object.assign(document.createElement(tag), { textContent }));
  element("facts").replaceChildren(...items);
}

/** Describe the accuracy of the predictions that the page does not warn of, if it is known. */
function describeShownAccuracy({ accuracy, wanted, evidence } = {}) {
  if (!evidence) return null; // written by an earlier version
  const texts = `${evidence.texts.toLocaleString("en")} ${evidence.set.replaceAll("_", "-")} texts`;
  if (accuracy === null) {
    return `no prediction is relied on: ${texts} do not show an accuracy of ${percent(wanted)}`;
  }
  return `the predictions that are relied on are shown to be ${percent(accuracy)} accurate by ` +
    `${texts}${accuracy < wanted ? `, not the wanted ${percent(wanted)}` : ""}`;
}

/** Let the service worker cache what the page has loaded; browsers allow one over HTTPS only. */
async function cacheForOfflineUse() {
  const state = element("offline");
  if (!navigator.serviceWorker) {
    state.textContent = "not available offline: that needs HTTPS";
    return;
  }
  try {
    navigator.serviceWorker.addEventListener("message", () => {
      state.textContent = "available offline";
    });
    await navigator.serviceWorker.register("service-worker.js");
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
    const links = Array.from(document.links, (link) => link.href);
    active.postMessage([...new Set([location.href.split("#")[0], ...loaded, ...links])]);
  } catch {
    state.textContent = "not available offline: the browser does not allow it";
  }
}

function showStatus(line) {
  element("status").textContent = line;
}

function showWarning(line) {
  element("failure").textContent = line;
  element("failure").hidden = false;
}

/** Show an error and a button to try again. */
function showError(error) {
  showStatus("The page does not work.");
  console.error(error);
  showWarning(error instanceof SiteError ? error.message : `Unexpected error: ${error}`);
  const retry = Object.assign(document.createElement("button"), { textContent: "Try again" });
  retry.addEventListener("click", () => location.reload());
  element("failure").append(" ", retry);
}
