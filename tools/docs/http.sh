#!/bin/sh
# The README's HTTP examples: starts the server, prints each command, then runs it.
log=$(mktemp)
glovelite-run bundles/imdb --serve 8080 > "$log" &
trap 'kill $!; wait $!; rm -f "$log"' EXIT
until test -s "$log"; do kill -0 $! || exit 1; sleep 0.1; done
echo '$ glovelite-run bundles/imdb --serve 8080'
cat "$log"
cat <<'COMMAND'

$ curl http://127.0.0.1:8080/predict -H 'Content-Type: application/json' \
    -d '{"texts": ["A moving, funny film.", "A waste of time."]}'
COMMAND
curl -sS http://127.0.0.1:8080/predict -H 'Content-Type: application/json' \
  -d '{"texts": ["A moving, funny film.", "A waste of time."]}' | fold -sw 100 | sed "s, *$,,"
cat <<'COMMAND'

$ curl http://127.0.0.1:8080/predict -H 'Content-Type: application/json' -d '{"txt": "A film."}'
COMMAND
curl -sS http://127.0.0.1:8080/predict -H 'Content-Type: application/json' -d '{"txt": "A film."}'
cat <<'COMMAND'

$ curl http://127.0.0.1:8080/health
COMMAND
curl -sS http://127.0.0.1:8080/health | fold -sw 100 | sed "s, *$,,"
