// Errors that the user can act on, and downloads that raise them.

export class SiteError extends Error {}

/** Fetch a file of the site as bytes; throw a SiteError that names the file and the reason. */
export async function fetchBytes(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new SiteError(`${path} could not be downloaded: there is no connection to the server.`);
  }
  if (!response.ok) {
    throw new SiteError(`${path} could not be downloaded: the server answered ` +
      `${response.status}. Upload the whole folder that glovelite-convert site wrote.`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

/** Fetch a JSON file of the site: its bytes and its content. */
export async function fetchJson(path) {
  const bytes = await fetchBytes(path);
  try {
    return { bytes, content: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) };
  } catch {
    throw new SiteError(`${path} is damaged: it is not JSON. Upload it again.`);
  }
}
