"""Makes the files beside it from their sources; run by hand, its outputs are committed.

    python tests/data/make.py GLOVE.100d.txt WORDNET_DICT_FOLDER

GLOVE is GloVe 6B 100d as text (Pennington, Socher and Manning 2014; Public Domain Dedication and
License), WORDNET_DICT_FOLDER the `dict` folder of Princeton WordNet 3.0 (any use, with its notice;
Debian's package wordnet-base has it in /usr/share/wordnet).
"""

import collections
import csv
import gzip
import io
import random
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
TOPICS = (  # twenty lexicographer files of WordNet's nouns
    *("act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event"),
    *("feeling", "food", "group", "location", "motive", "object", "person", "phenomenon"),
    *("plant", "possession", "process", "quantity"),
)
PER_TOPIC = 60
CLASSES = {"05": "animal", "13": "food", "20": "plant", "18": "person"}  # lexicographer files
PER_CLASS = 500
EXTRA_WORDS = 300  # the commonest words of GloVe, whether or not the glosses hold them


def read_glosses(dictionary: Path, classes: dict[str, str]) -> list[tuple[str, str]]:
    """Give (gloss, class) of the noun synsets of some lexicographer files."""
    pairs = []
    for line in (dictionary / "data.noun").read_text("utf-8").splitlines():
        if line.startswith("  "):  # the licence at the top
            continue
        head, _, gloss = line.partition(" | ")
        label = classes.get(head.split()[1])
        gloss = gloss.strip()
        if label and 6 <= len(gloss.split()) <= 40:
            pairs.append((gloss, label))
    return pairs


def draw(glosses: list[tuple[str, str]], per_class: int, name: str) -> list[tuple[str, str]]:
    """Draw as many of each class and write them as a CSV file."""
    by_class = collections.defaultdict(list)
    for gloss, label in glosses:
        by_class[label].append(gloss)
    chosen = random.Random(0)
    rows = [
        (gloss, label)
        for label in by_class
        for gloss in chosen.sample(by_class[label], min(per_class, len(by_class[label])))
    ]
    chosen.shuffle(rows)
    with (HERE / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    return rows


def main(glove: Path, dictionary: Path) -> None:
    """Write glosses.csv, topics.csv and glove.6B.100d.slice.txt.gz."""
    rows = draw(read_glosses(dictionary, CLASSES), PER_CLASS, "glosses.csv")
    topics = {f"{number:02}": name for number, name in enumerate(TOPICS, start=4)}
    draw(read_glosses(dictionary, topics), PER_TOPIC, "topics.csv")

    wanted = collections.Counter(w for g, _ in rows for w in re.findall(r"[^\W\d_]+", g.lower()))
    wanted = {word for word, count in wanted.items() if count >= 2} | {"do", "not", "cafe", "film"}
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as out, glove.open("rb") as file:
        for rank, line in enumerate(file):
            if rank < EXTRA_WORDS or line.split(b" ", 1)[0].decode() in wanted:
                out.write(line)
    (HERE / "glove.6B.100d.slice.txt.gz").write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
