// Errors that the user can act on, and reading files from a server or a disk.

export class GloveliteError extends Error {
  name = "GloveliteError";
}

/** Return an absolute address: relative ones start at the page, the worker or the current folder. */
export async function resolveAddress(address) {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  if (base) return new URL(address, base);
  if (address instanceof URL || /^[a-z][a-z\d+.-]+:/i.test(address)) return new URL(address);
  const { pathToFileURL } = await import("node:url"); // Node and Deno
  return pathToFileURL(address);
}

/** Read a file as bytes; throw a GloveliteError that names it and the reason. */
export async function readBytes(url) {
  if (url.protocol === "file:" && !globalThis.document) return readFromDisk(url);
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new GloveliteError(`${url} could not be downloaded: there is no connection to the server.`);
  }
  if (!response.ok) {
    throw new GloveliteError(`${url} could not be downloaded: the server answered ` +
      `${response.status}. Reload; if that does not help, upload the whole folder again.`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

async function readFromDisk(url) {
  const { readFile } = await import("node:fs/promises");
  try {
    return await readFile(url);
  } catch (error) {
    throw new GloveliteError(`${url} cannot be read: ${error.code ?? error.message}.`);
  }
}
