#!/bin/sh
# The README's minute with the data that is here: each command shown, then run.
say() {
  echo "\$ $*" | sed 's/glovelite-run \([^ ]*\) \(.*\)$/glovelite-run \1 "\2"/'
  "$@"
  echo
}
say glovelite-train tests/data/glosses.csv --glove tests/data/glove.6B.100d.slice.txt.gz --epochs 12 --out runs/glosses
say glovelite-convert export runs/glosses --out bundles/glosses
say glovelite-run bundles/glosses "a small wild bird that sings at night"
