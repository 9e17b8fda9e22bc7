#!/bin/sh
# The README's quick start with the repository's own data: prints each command, then runs it.
show() {
  echo "\$ $*" | sed 's/glovelite-run \([^ ]*\) \(.*\)$/glovelite-run \1 "\2"/'
  "$@"
  echo
}
show glovelite-train tests/data/glosses.csv --glove tests/data/glove.6B.100d.slice.txt.gz --epochs 12 --out runs/glosses
show glovelite-convert export runs/glosses --out bundles/glosses
show glovelite-run bundles/glosses "a small wild bird that sings at night"
