// The nearest spelling of an unknown word: the last step of the vocabulary lookup
// (runtime/text/spelling.py).

import { SiteError } from "./errors.js";

const MIN_SHORTEST = 3, MAX_LETTERS = 24, MAX_ALPHABET = 64;
const HASHED_COST = 13, MAX_COST = 16, UNLIKELY_EDIT = 5, SIMILAR_LETTER = 2;
const VOWELS = "aeiouy";
const NEIGHBORS = { // letters beside each letter on an English keyboard
  q: "wa", w: "qes", e: "wrd", r: "etf", t: "ryg", y: "tuh", u: "yij", i: "uok", o: "ipl", p: "ol",
  a: "qsz", s: "adwx", d: "sfec", f: "dgrv", g: "fhtb", h: "gjyn", j: "hkum", k: "jli", l: "kop",
  z: "asx", x: "zcs", c: "xvd", v: "cbf", b: "vng", n: "bmh", m: "njk",
};

export const NO_SPELLING = { find: () => undefined };

export class NearestSpelling {
  /** Parse the vocabulary file's `spelling`; throw a SiteError if it is malformed.
   *
   * `ids` has the ids of listed words, `hashedWords` those of hashed words.
   */
  constructor(content, ids, hashedWords) {
    const { letters, shortest } = content ?? {};
    this.letters = typeof letters === "string" ? new Set(letters) : new Set();
    const isValid = this.letters.size > 0 && this.letters.size === [...letters].length &&
      this.letters.size <= MAX_ALPHABET && Number.isInteger(shortest) &&
      shortest >= MIN_SHORTEST && shortest <= MAX_LETTERS;
    if (!isValid) {
      throw new SiteError("vocab.json is damaged: 'spelling' is malformed. Upload it again.");
    }
    Object.assign(this, { shortest, ids, hashedWords });
  }

  /** Return the id of the nearest known word, or undefined if there is none. */
  find(token) {
    const word = [...token];
    const isTaken = word.length >= this.shortest && word.length <= MAX_LETTERS &&
      word.every((letter) => this.letters.has(letter));
    if (!isTaken) return undefined;
    let nearest, lowest = MAX_COST;
    for (const { candidate, cost } of this.edits(word)) {
      const listed = this.ids.get(candidate);
      const id = listed ?? this.hashedWords.find(candidate);
      if (id === undefined) continue;
      const total = cost + (listed === undefined ? HASHED_COST : 32 - Math.clz32(id));
      if (total < lowest || (total === lowest && !(nearest <= id))) [nearest, lowest] = [id, total];
    }
    return nearest;
  }

  /** Yield all strings at one edit of a word, with the cost of the edit in bits. */
  * edits(word) {
    const edit = (position, deleted, inserted, cost) => {
      const rest = word.slice(position + deleted).join("");
      return { candidate: word.slice(0, position).join("") + inserted + rest, cost };
    };
    for (let at = 1; at < word.length; at++) {
      yield edit(at, 1, "", word[at] === word[at - 1] ? 0 : UNLIKELY_EDIT);
      yield edit(at - 1, 2, word[at] + word[at - 1], 0);
      for (const letter of this.letters) yield edit(at, 1, letter, replacementCost(word[at], letter));
    }
    for (let at = 1; at <= word.length; at++) {
      for (const letter of this.letters) yield edit(at, 0, letter, 0);
    }
  }
}

function replacementCost(old, letter) {
  const isSimilar = NEIGHBORS[old]?.includes(letter) ||
    (VOWELS.includes(old) && VOWELS.includes(letter));
  return isSimilar ? SIMILAR_LETTER : UNLIKELY_EDIT;
}
