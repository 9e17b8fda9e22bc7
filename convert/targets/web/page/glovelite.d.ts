// Text classifiers of glovelite in browsers, workers, Node and Deno.
//
//     import { load } from "./glovelite.js";
//     const classifier = await load("bundle/");
//     const { label, probability } = classifier.predict("A moving, funny, beautifully acted film.");

/**
 * Load a classifier. In browsers and workers, a relative address starts at the page or the worker's
 * script, in Node and Deno it is a path of the current folder.
 *
 * @param address a folder with a `model.bin`, or the address of such a file, whose name ends in `.bin`
 * @throws GloveliteError if the file is missing, damaged or too new; the message says what to do
 */
export function load(address: string | URL): Promise<Classifier>;

export class Classifier {
  /**
   * @param content the bytes of a `model.bin`
   * @throws GloveliteError if it is damaged or too new
   */
  constructor(content: Uint8Array | ArrayBuffer);
  /** The names of all labels. */
  readonly labels: string[];
  /** Whether a text has any number of labels, not exactly one. */
  readonly multiLabel: boolean;
  /** How many tokens of a text are read. */
  readonly maxTokens: number;
  /** From which probability a text gets each label, if `multiLabel`. */
  readonly thresholds: number[] | null;
  /** Classify a text. */
  predict(text: string): Prediction;
  /** Split the log odds of a label, the most probable one if none is given, over the tokens. */
  explain(text: string, label?: string): Explanation;
}

export interface Prediction {
  /** The most probable label, even if a multi-label model does not give it. */
  label: string;
  /** Its probability, 0 to 1. */
  probability: number;
  /** Of every label, in the order of `Classifier.labels`. */
  probabilities: number[];
  /** The labels of the text, most probable first: `label`, or those that reach their thresholds. */
  labels: string[];
  /** Whether the text was longer than the model reads. */
  truncated: boolean;
  /** Share of the tokens that are known words, 0 to 1. */
  known: number;
  /** Whether too few words are known for the prediction to say much about the text. */
  unfamiliar: boolean;
  /** Whether not to rely on the prediction: unfamiliar, or too little confidence. */
  abstained: boolean;
  /** `probability`, or of a multi-label model the probability that `labels` are exactly right. */
  certainty: number;
  /** `certainty`, lowered where the words are unlike those of training text. */
  confidence: number;
  /** The least confidence to rely on; 1 if none is enough. */
  threshold: number;
  /** How usual the tokens are in training text, 0 to 15. */
  familiarity: number;
  /** Number of tokens that were read as their nearest spelling. */
  corrected: number;
  /** The tokens that were read. */
  tokens: string[];
  /** Their ids; 1 is the unknown word. */
  ids: number[];
}

export interface Explanation {
  label: string;
  tokens: string[];
  /** For each token the listed word that it was read as, or undefined if it is listed or unknown. */
  standIns: (string | undefined)[];
  /** What each token adds to the log odds of the label. */
  parts: number[];
  /** What belongs to no token. */
  rest: number;
}

export class GloveliteError extends Error {}
