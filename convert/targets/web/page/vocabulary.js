// The vocabulary file: everything that turns text into the ids a model was trained on.

import { Failure } from "./failure.js";
import { SPECIFICATION, tokenize } from "./tokenizer.js";

const FORMAT = 1;
export const UNKNOWN = 1;

export class Vocabulary {
  /** Read the content of `vocab.json`. */
  constructor(content) {
    const { format, tokenizer, tokens, labels, max_tokens, trailing_padding } = content ?? {};
    if (format > FORMAT) {
      throw new Failure(`vocab.json has format ${format}, this page reads up to ${FORMAT}: make ` +
        "the site anew with a newer glovelite.");
    }
    const readable = format === FORMAT && Array.isArray(tokens) && Array.isArray(labels) &&
      JSON.stringify(tokenizer) === JSON.stringify(SPECIFICATION) &&
      Number.isInteger(max_tokens) && Number.isInteger(trailing_padding);
    if (!readable) throw new Failure("vocab.json is damaged: it is no vocabulary. Upload it again.");
    Object.assign(this, { labels, maxTokens: max_tokens, trailingPadding: trailing_padding });
    this.size = tokens.length;
    this.ids = new Map(tokens.map((token, id) => [token, id]));
  }

  /** Turn text into tokens and ids, without padding; `truncated`: the text went on after them. */
  encode(text) {
    const found = tokenize(text, this.maxTokens + 1);
    const tokens = found.slice(0, this.maxTokens);
    const ids = tokens.map((token) => this.ids.get(token) ?? UNKNOWN);
    return { tokens, ids, truncated: found.length > this.maxTokens };
  }
}
