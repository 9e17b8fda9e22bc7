// The vocabulary file: everything that turns text into ids.

import { SiteError } from "./errors.js";
import { NO_HASHED_WORDS } from "./hashed-words.js";
import { NearestSpelling, NO_SPELLING } from "./spelling.js";
import { findTokenizer } from "./tokenizer.js";

const SINGLE_LABEL_VOCABULARY = 1, MULTI_LABEL_VOCABULARY = 2, PUNCTUATION_VOCABULARY = 3;
const UNICODE_VOCABULARY = 4;
const MAX_CORRECTIONS = 64; // unknown tokens of a text that are looked up by spelling
export const UNKNOWN_ID = 1;

export class Vocabulary {
  /** Parse the content of `vocab.json`; throw a SiteError if it is malformed or too new. */
  constructor(content, hashedWords = NO_HASHED_WORDS) {
    const { format, tokenizer, tokens, labels, max_tokens, trailing_padding, familiarity,
      spelling, multi_label = false } = content ?? {};
    if (format > UNICODE_VOCABULARY) {
      throw new SiteError(`vocab.json has format ${format}, this page reads up to ` +
        `${UNICODE_VOCABULARY}: write the site again with a newer glovelite.`);
    }
    this.tokenizer = findTokenizer(tokenizer, Array.isArray(tokens) ? tokens : []);
    const expected = this.tokenizer?.isOlder === false ? UNICODE_VOCABULARY
      : this.tokenizer?.punctuation ? PUNCTUATION_VOCABULARY
      : multi_label === true ? MULTI_LABEL_VOCABULARY : SINGLE_LABEL_VOCABULARY;
    const isValid = format === expected && this.tokenizer && Array.isArray(tokens) &&
      Array.isArray(labels) && typeof multi_label === "boolean" &&
      Number.isInteger(max_tokens) && Number.isInteger(trailing_padding);
    if (!isValid) {
      throw new SiteError("vocab.json is damaged: it is not a vocabulary. Upload it again.");
    }
    Object.assign(this, { labels, hashedWords, maxTokens: max_tokens, trailingPadding: trailing_padding });
    this.multiLabel = multi_label;
    this.tokens = tokens;
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    this.levels = familiarity && Array.from(familiarity.listed, (digit) => parseInt(digit, 16));
    this.hashedLevel = familiarity?.hashed;
    this.spelling = spelling === undefined ? NO_SPELLING
      : new NearestSpelling(spelling, this.ids, hashedWords);
  }

  /** Turn text into tokens and ids, without padding; `truncated` if the text is longer;
   * `familiarity` is the mean level of the words, `corrected` the number of those that have the id of
   * their nearest spelling. */
  encode(text) {
    const found = this.tokenizer.tokenize(text, this.maxTokens + 1);
    const tokens = found.slice(0, this.maxTokens);
    const ids = tokens.map((token) => this.idOf(token));
    const level = (id, index) => this.standIn(tokens[index], id) === undefined
      ? this.levels[id] : this.hashedLevel;
    const sum = this.levels ? ids.map(level).reduce((a, b) => a + b, 0) : 0;
    const familiarity = ids.length ? sum / ids.length : 0;
    const corrected = this.correctUnknown(tokens, ids);
    return { tokens, ids, truncated: found.length > this.maxTokens, familiarity, corrected };
  }

  /** Replace the unknown word's id by that of the nearest spelling, in place; count them. */
  correctUnknown(tokens, ids) {
    const unknown = [...ids.keys()].filter((index) => ids[index] === UNKNOWN_ID);
    let corrected = 0;
    for (const index of unknown.slice(0, MAX_CORRECTIONS)) {
      const id = this.spelling.find(tokens[index]);
      if (id === undefined) continue;
      ids[index] = id;
      corrected++;
    }
    return corrected;
  }

  /** Return the id of a listed or hashed token, or the unknown word's. An unknown word with
   * apostrophes has the id of its longest known part, the last one of equally long ones. */
  idOf(token) {
    const find = (word) => this.ids.get(word) ?? this.hashedWords.find(word) ?? UNKNOWN_ID;
    const id = find(token);
    if (id !== UNKNOWN_ID || !token.includes("'") || !this.tokenizer.takesParts) return id;
    const length = (part) => [...part].length;
    const parts = token.split("'").reverse().sort((a, b) => length(b) - length(a));
    return parts.map(find).find((found) => found !== UNKNOWN_ID) ?? UNKNOWN_ID;
  }

  /** Return the listed word whose id a token has, or undefined if it is listed or unknown. */
  standIn(token, id) {
    return id === UNKNOWN_ID || this.ids.has(token) ? undefined : this.tokens[id];
  }
}
