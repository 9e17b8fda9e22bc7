// The vocabulary file: everything that turns text into ids.

import { SiteError } from "./errors.js";
import { SPECIFICATION, tokenize } from "./tokenizer.js";

const VOCABULARY_FORMAT = 1;
export const UNKNOWN_ID = 1;

export class Vocabulary {
  /** Take the content of `vocab.json`; throw a SiteError if it is malformed or too new. */
  constructor(content) {
    const { format, tokenizer, tokens, labels, max_tokens, trailing_padding } = content ?? {};
    if (format > VOCABULARY_FORMAT) {
      throw new SiteError(`vocab.json has format ${format}, this page reads up to ` +
        `${VOCABULARY_FORMAT}: write the site again with a newer glovelite.`);
    }
    const isValid = format === VOCABULARY_FORMAT && Array.isArray(tokens) &&
      Array.isArray(labels) && JSON.stringify(tokenizer) === JSON.stringify(SPECIFICATION) &&
      Number.isInteger(max_tokens) && Number.isInteger(trailing_padding);
    if (!isValid) {
      throw new SiteError("vocab.json is damaged: it is not a vocabulary. Upload it again.");
    }
    Object.assign(this, { labels, maxTokens: max_tokens, trailingPadding: trailing_padding });
    this.size = tokens.length;
    this.ids = new Map(tokens.map((token, id) => [token, id]));
  }

  /** Turn text into tokens and ids, without padding; `truncated` if the text is longer. */
  encode(text) {
    const found = tokenize(text, this.maxTokens + 1);
    const tokens = found.slice(0, this.maxTokens);
    const ids = tokens.map((token) => this.ids.get(token) ?? UNKNOWN_ID);
    return { tokens, ids, truncated: found.length > this.maxTokens };
  }
}
