"""Small corpora of texts and labels."""

from glovelite.data.rows import Row
from glovelite.train.data.build_corpus import build_corpus
from glovelite.train.data.corpus import Origin


def corpus_of(pairs, name="c", groups=None, times=None):
    rows = [Row(text, (label,), line) for line, (text, label) in enumerate(pairs, start=2)]
    if groups is not None:
        rows = [row._replace(group=group) for row, group in zip(rows, groups)]
    if times is not None:
        rows = [row._replace(time=time) for row, time in zip(rows, times)]
    return build_corpus(Origin(name, name), rows)
