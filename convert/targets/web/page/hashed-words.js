// The index of hashed words: words that share the id of a listed word (runtime/text/hashed_words.py).

import { SiteError } from "./errors.js";

const MAGIC = 0x57484c47; // "GLHW"
const VERSION = 1;
const HEADER_BYTES = 12;
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});

export const NO_HASHED_WORDS = { size: 0, find: () => undefined };

export class HashedWords {
  /** Parse the content of `hashed_words.bin`; throw a SiteError if it is malformed or too new. */
  constructor(bytes, listed) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isIndex = bytes.length >= HEADER_BYTES && view.getUint32(0, true) === MAGIC;
    if (isIndex && view.getUint32(4, true) > VERSION) {
      throw new SiteError("bundle/hashed_words.bin has a format that this page cannot read: " +
        "write the site again with a newer glovelite.");
    }
    this.size = isIndex ? view.getUint32(8, true) : 0;
    let isValid = isIndex && bytes.length === HEADER_BYTES + 6 * this.size;
    if (isValid) {
      const idsStart = HEADER_BYTES + 4 * this.size;
      const read = (method, start, width) => (_, index) => view[method](start + width * index, true);
      this.keys = Uint32Array.from({ length: this.size }, read("getUint32", HEADER_BYTES, 4));
      this.ids = Uint16Array.from({ length: this.size }, read("getUint16", idsStart, 2));
      isValid = this.keys.every((key, index) => !index || key > this.keys[index - 1]) &&
        this.ids.every((id) => id >= 2 && id < listed);
    }
    if (!isValid) {
      throw new SiteError("bundle/hashed_words.bin is damaged: it is not an index of words. " +
        "Upload it again.");
    }
    this.encoder = new TextEncoder();
  }

  /** Return the id of a token, or undefined if it is not in the index. */
  find(token) {
    const key = crc32(this.encoder.encode(token));
    let low = 0, high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return this.keys[low] === key ? this.ids[low] : undefined;
  }
}

/** CRC-32 as in zlib and PNG: "hello" → 0x3610a686. */
export function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}
