// Keeps the site's files, so that it opens without a network. The page tells which ones it used.

const OURS = `glovelite ${self.registration.scope}`;
const CACHE = `${OURS} VERSION`;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(OURS) && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

self.addEventListener("message", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(event.data.filter((url) => new URL(url).origin === location.origin));
    event.source.postMessage("kept");
  })());
});

// The network first, so that a new upload is seen at once; what is kept where there is none.
self.addEventListener("fetch", (event) => {
  event.respondWith((async () => {
    const cache = await caches.open(CACHE);
    try {
      const answer = await fetch(event.request);
      if (answer.ok && event.request.method === "GET") await cache.put(event.request, answer.clone());
      return answer;
    } catch (error) {
      const kept = await cache.match(event.request, { ignoreSearch: true });
      if (kept) return kept;
      throw error;
    }
  })());
});
