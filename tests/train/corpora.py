"""Small corpora of texts and labels."""

from glovelite.data.rows import Row
from glovelite.train.data.build_corpus import build_corpus
from glovelite.train.data.corpus import Origin
from tests.helpers import write_csv


def corpus_of(pairs, name="c", groups=None, times=None):
    rows = [Row(text, (label,), line) for line, (text, label) in enumerate(pairs, start=2)]
    if groups is not None:
        rows = [row._replace(group=group) for row, group in zip(rows, groups)]
    if times is not None:
        rows = [row._replace(time=time) for row, time in zip(rows, times)]
    return build_corpus(Origin(name, name), rows)


def write_few_texts(folder, name="few", labels=("a", "b"), count=60):
    """Write a few texts, which only numbers tell apart, to a CSV file; return its path."""
    rows = [(f"{name} animal number {n}", labels[n % len(labels)]) for n in range(count)]
    return write_csv(folder / f"{name}.csv", rows)
