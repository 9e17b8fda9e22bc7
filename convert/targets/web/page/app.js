// The page: what is typed is classified, and everything the answer rests on is shown.

import { Classifier } from "./classifier.js";
import { explain } from "./explain.js";
import { Failure } from "./failure.js";

const REST = 250; // ms without a key before the words are asked about
const EXAMPLE = "It wasn't bad at all, I even laughed once or twice.";
const MOST_NAMED = 4; // classes, in the title
const MARKED = 0.05; // of the largest part: words below it are left plain
const element = (id) => document.getElementById(id);
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const signed = (part) => `${part < 0 ? "−" : "+"}${Math.abs(part).toFixed(2)}`;
let latest = 0; // number of the newest question: older answers are dropped

start();

async function start() {
  try {
    const begun = performance.now();
    const classifier = await Classifier.load("bundle", (line) => say(line));
    const { labels } = classifier.vocabulary;
    document.title = labels.length > MOST_NAMED ? "Text classifier" : `${labels.join(" or ")}?`;
    element("title").textContent = document.title;
    showFacts(classifier);
    await prove(classifier);
    globalThis.classifier = classifier; // for the console, and for tests
    const text = element("text");
    text.value ||= EXAMPLE;
    text.disabled = false;
    text.addEventListener("input", () => answer(classifier));
    await answer(classifier);
    document.documentElement.dataset.ready = Math.round(performance.now() - begun);
    await classifier.model.warmUp();
    keepOffline();
  } catch (error) {
    fail(error);
  }
}

/** Replay the golden texts; what differs is shown, for as long as the page is. */
async function prove(classifier) {
  try {
    const { goldens, largest } = await classifier.selfTest();
    say(`Checked: ${goldens} golden texts answered here as where the model was measured ` +
      `(largest difference ${largest.toFixed(4)}).`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say("The check failed.");
    warn(`${error.message} This browser does not compute what was measured: do not rely on its ` +
      "answers. Export the bundle anew, and make the site from it.");
  }
}

/** Classify what stands in the field, and once the keys rest ask which words decided. */
async function answer(classifier) {
  const number = ++latest, text = element("text").value, begun = performance.now();
  try {
    const found = await classifier.predict(text);
    const taken = performance.now() - begun;
    if (number !== latest) return;
    show(classifier, found, taken);
    element("words-section").hidden = true;
    await new Promise((resolve) => setTimeout(resolve, REST));
    const stale = () => number !== latest;
    if (stale() || !found.ids.length) return;
    const parts = await explain(classifier.model, found, stale);
    if (parts) showWords(found, parts);
  } catch (error) {
    fail(error);
  }
}

function show({ vocabulary }, found, taken) {
  const best = found.probabilities[found.best];
  const words = found.ids.length;
  element("answer").textContent = words ? `${found.label}, ${percent(best)}` : "No words yet.";
  const notes = [];
  if (words && found.unfamiliar) notes.push(`It knows ${percent(found.known, 0)} of the words: the answer says little of the text.`);
  else if (words && found.abstained) notes.push("Too unsure to be relied on.");
  if (found.truncated) notes.push(`Read to its first ${vocabulary.maxTokens} words; the rest was cut.`);
  element("notes").textContent = notes.join(" ");
  element("classes").tBodies[0].replaceChildren(...found.probabilities.map((each, place) => {
    const row = document.createElement("tr");
    const bar = Object.assign(document.createElement("progress"), { max: 1, value: each });
    bar.setAttribute("aria-hidden", "true");
    const cells = [vocabulary.labels[place], bar, percent(each)].map((content, column) => {
      const cell = document.createElement(column ? "td" : "th");
      if (!column) cell.scope = "row";
      cell.append(content);
      return cell;
    });
    row.append(...cells);
    row.classList.toggle("best", place === found.best);
    return row;
  }));
  element("latency").textContent = `From text to answer: ${taken.toFixed(1)} ms.`;
}

function showWords(found, parts) {
  const largest = Math.max(...parts.map(Math.abs), 1e-9);
  const spans = found.tokens.slice(0, parts.length).flatMap((token, place) => {
    const share = parts[place] / largest;
    const span = document.createElement(Math.abs(share) < MARKED ? "span" : "mark");
    span.textContent = token;
    span.className = share > 0 ? "for" : "against";
    span.dataset.strength = Math.ceil(4 * Math.abs(share));
    span.title = signed(parts[place]);
    return [span, " "];
  });
  const rest = found.tokens.length - parts.length;
  element("words").replaceChildren(...spans, rest ? `… and ${rest} more, not asked about.` : "");
  const order = [...parts.keys()].sort((a, b) => Math.abs(parts[b]) - Math.abs(parts[a]));
  element("words-list").textContent = order.slice(0, 5)
    .map((at) => `${found.tokens[at]} ${signed(parts[at])}`)
    .join(", ");
  element("words-section").hidden = false;
}

function showFacts({ manifest, vocabulary, bytes }) {
  const test = manifest.accuracy?.test;
  const facts = {
    Classes: vocabulary.labels.join(", "),
    Accuracy: test && `${percent(test.device)} of ${test.texts.toLocaleString("en")} test texts (on ${manifest.interpreter})`,
    Size: `${Math.round(bytes / 1000).toLocaleString("en")} kB: model, vocabulary and manifest`,
    Recipe: `${manifest.recipe}, ${manifest.layout} layout, ${manifest.architecture}`,
    Vocabulary: `${vocabulary.size.toLocaleString("en")} words; texts are read to ${vocabulary.maxTokens}`,
    "Trained on": manifest.trained?.corpus?.name,
  };
  element("facts").replaceChildren(...Object.entries(facts).filter(([, told]) => told)
    .flatMap(([name, told]) => [["dt", name], ["dd", told]])
    .map(([tag, content]) => Object.assign(document.createElement(tag), { textContent: content })));
}

/** Let the service worker keep what the page has used; browsers allow one over HTTPS only. */
async function keepOffline() {
  const told = element("offline");
  if (!navigator.serviceWorker) {
    told.textContent = "not kept for offline use: that needs HTTPS";
    return;
  }
  try {
    navigator.serviceWorker.addEventListener("message", () => {
      told.textContent = "kept for offline use";
    });
    await navigator.serviceWorker.register("service-worker.js");
    const { active } = await navigator.serviceWorker.ready;
    const used = performance.getEntriesByType("resource").map((entry) => entry.name);
    const links = Array.from(document.links, (link) => link.href);
    active.postMessage([...new Set([location.href.split("#")[0], ...used, ...links])]);
  } catch {
    told.textContent = "not kept for offline use: the browser does not allow it";
  }
}

function say(line) {
  element("status").textContent = line;
}

function warn(line) {
  element("failure").textContent = line;
  element("failure").hidden = false;
}

/** Show what went wrong, with a button to try again. */
function fail(error) {
  say("Not working.");
  console.error(error);
  warn(error instanceof Failure ? error.message : `Something unforeseen went wrong: ${error}`);
  const again = Object.assign(document.createElement("button"), { textContent: "Try again" });
  again.addEventListener("click", () => location.reload());
  element("failure").append(" ", again);
}
