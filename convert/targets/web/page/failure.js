// What went wrong, in words for the person before the screen.

export class Failure extends Error {}

/** Fetch a file of the site as bytes; a Failure says which one did not come and why. */
export async function fetchBytes(path) {
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    throw new Failure(`${path} could not be downloaded: there is no connection to the server.`);
  }
  if (!answer.ok) {
    throw new Failure(`${path} could not be downloaded: the server answers ${answer.status}. ` +
      "Upload the whole folder that glovelite-convert site wrote.");
  }
  return new Uint8Array(await answer.arrayBuffer());
}

/** Fetch a JSON file of the site and its bytes. */
export async function fetchJson(path) {
  const bytes = await fetchBytes(path);
  try {
    return { bytes, content: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) };
  } catch {
    throw new Failure(`${path} is damaged: it is not JSON. Upload it again.`);
  }
}
