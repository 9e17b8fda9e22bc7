// The nearest spelling of an unknown word: the last step of the vocabulary lookup
// (runtime/text/spelling.py).

const MAX_LETTERS = 24;
const HASHED_COST = 13, MAX_COST = 16, UNLIKELY_EDIT = 5, SIMILAR_LETTER = 2, LEAST_RARITY = 2;
const MAX_CACHED = 1024; // words: those of a text are looked up again at every key
const VOWELS = "aeiouy";
const NEIGHBORS = { // letters beside each letter on an English keyboard
  q: "wa", w: "qes", e: "wrd", r: "etf", t: "ryg", y: "tuh", u: "yij", i: "uok", o: "ipl", p: "ol",
  a: "qsz", s: "adwx", d: "sfec", f: "dgrv", g: "fhtb", h: "gjyn", j: "hkum", k: "jli", l: "kop",
  z: "asx", x: "zcs", c: "xvd", v: "cbf", b: "vng", n: "bmh", m: "njk",
};

export class NearestSpelling {
  /** Correct words of these letters, with so many of them or more, to those of a vocabulary. */
  constructor(letters, shortest, vocabulary) {
    Object.assign(this, { letters: new Set(letters), shortest, vocabulary, cache: new Map() });
  }

  /** Return the id of the nearest known word, or 0 if there is none. */
  find(token) {
    if (token.length > 2 * MAX_LETTERS) return 0; // code units
    let id = this.cache.get(token);
    if (id === undefined) {
      if (this.cache.size === MAX_CACHED) this.cache.clear();
      this.cache.set(token, id = this.search([...token]));
    }
    return id;
  }

  search(word) {
    const isTaken = word.length >= this.shortest && word.length <= MAX_LETTERS &&
      word.every((letter) => this.letters.has(letter));
    let nearest = 0, lowest = MAX_COST;
    const rate = (candidate, cost) => {
      if (cost + LEAST_RARITY > lowest) return;
      const listed = this.vocabulary.findListed(candidate);
      const total = cost + (listed ? 32 - Math.clz32(listed) : HASHED_COST); // sorted by frequency
      if (total > lowest) return;
      const id = listed || this.vocabulary.findHashed();
      if (id && (total < lowest || !nearest || id < nearest)) [nearest, lowest] = [id, total];
    };
    if (isTaken) this.edit(word, rate);
    return nearest;
  }

  /** Call with each string at one edit of a word and the cost of the edit in bits. */
  edit(word, rate) {
    for (let at = 1; at <= word.length; at++) {
      const before = word[at - 1], letter = word[at], head = word.slice(0, at).join("");
      const rest = word.slice(at).join(""), tail = word.slice(at + 1).join("");
      if (letter !== undefined) {
        rate(head + tail, letter === before ? 0 : UNLIKELY_EDIT);
        rate(word.slice(0, at - 1).join("") + letter + before + tail, 0);
        for (const other of this.letters) rate(head + other + tail, replacementCost(letter, other));
      }
      for (const other of this.letters) rate(head + other + rest, 0);
    }
  }
}

function replacementCost(old, letter) {
  const isSimilar = NEIGHBORS[old]?.includes(letter) ||
    (VOWELS.includes(old) && VOWELS.includes(letter));
  return isSimilar ? SIMILAR_LETTER : UNLIKELY_EDIT;
}
