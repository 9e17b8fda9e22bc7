"""Files of labelled text: written in each format, and read as training reads them."""

import csv
import io
import json

from hypothesis import strategies as st

from glovelite.data.labelled_text import TextSource
from glovelite.train.data.sources import read_inputs

# Surrounding blanks are not text, and a CSV field cannot tell \r from \r\n.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=30)
texts = texts.filter(lambda text: text == text.strip())
one_line = texts.filter(lambda text: len(text.splitlines()) == 1 and "\t" not in text)
ROWS = [(f"text {n}", label) for n in range(3) for label in ("a", "b")]


def read(path, **options):
    skip = options.pop("skip_bad_rows", False)
    held_out = {name: options.pop(name, None) for name in ("dev", "test")}
    source = TextSource(str(path), **options)
    return read_inputs([source], skip_bad_rows=skip, **held_out)


def pairs(corpus):
    return list(zip(corpus.texts, corpus.labels))


def write(tmp_path, content, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_csv(rows, header=("text", "label"), delimiter=","):
    content = io.StringIO()
    writer = csv.writer(content, delimiter=delimiter, lineterminator="\n")
    writer.writerows([header, *rows] if header else rows)
    return content.getvalue()


def as_jsonl(rows):
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
