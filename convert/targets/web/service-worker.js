// Caches the site's files, so that it opens without a network. The page sends the URLs it loaded.

const PREFIX = `glovelite ${self.registration.scope}`;
const CACHE = `${PREFIX} VERSION`;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

self.addEventListener("message", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(event.data.filter((url) => new URL(url).origin === location.origin));
    event.source.postMessage("cached");
  })());
});

// Network first, so that an update is seen at once; the cache if there is no network.
self.addEventListener("fetch", (event) => {
  event.respondWith((async () => {
    const cache = await caches.open(CACHE);
    try {
      const response = await fetch(event.request);
      if (response.ok && event.request.method === "GET") {
        await cache.put(event.request, response.clone());
      }
      return response;
    } catch (error) {
      const cached = await cache.match(event.request, { ignoreSearch: true });
      if (cached) return cached;
      throw error;
    }
  })());
});
