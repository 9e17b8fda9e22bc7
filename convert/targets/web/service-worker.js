// Keeps one version of the site, complete, for use without a network.
//
// The files of a version are in a folder of its own, which index.html names: a page loads the files of
// one version or fails, whatever is on the server and in the caches.

// The space ends the address: a site in a folder of this one has caches of its own.
const PREFIX = `glovelite ${self.registration.scope} `;
const VERSION = "__VERSION__", CACHE = PREFIX + VERSION;
const FILES = __NAMES__.map((name) => `files/${VERSION}/${name}`);

self.addEventListener("install", (event) => event.waitUntil(store()));

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

async function store() {
  const response = await fetch("./", { cache: "no-cache" }), page = await response.text();
  if (!response.ok || !page.includes(VERSION)) throw new Error("the site is being replaced");
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES);
  await cache.put("./", new Response(page, { headers: { "Content-Type": "text/html" } }));
  await self.skipWaiting();
}

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});

// The page itself from the network, so that an update is seen at once; its files, which never change,
// from the cache.
async function answer(request) {
  const cache = await caches.open(CACHE), scope = self.registration.scope;
  const isPage = [scope, `${scope}index.html`].includes(request.url.split(/[?#]/)[0]);
  const cached = await cache.match(isPage ? "./" : request, { ignoreVary: true });
  if (cached && !isPage) return cached;
  try {
    const response = await fetch(request);
    return response.ok || !cached ? response : cached;
  } catch (error) {
    if (cached) return cached;
    throw error;
  }
}
