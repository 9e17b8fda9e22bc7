"""What people bring to their first hour: small, odd, foreign and wrong text.

A training works, or is refused in one line; `tests/convert/test_odd_inputs.py` has the bundles.
"""

import csv
import gzip
import io
import random
import sys
from pathlib import Path

import polars
import pytest

from tests.helpers import GLOSSES, SLICE, read_csv, read_json, write_json_lines
from tests.train import command

pytestmark = pytest.mark.slow

GLOSS_ROWS = [(row["text"], row["label"]) for row in read_csv(GLOSSES)]
PAIRS = [row for row in GLOSS_ROWS if row[1] in ("animal", "person")][:200]
#: Options where the text is odd for the model, and not only for the readers of files.
BASE = ("--preset", "base", "--epochs", 2)
GERMAN_NOUNS = ("Hund", "Katze", "Vogel", "Lehrer", "Bäcker", "Arzt", "Garten", "Wald", "Brücke")
GERMAN = ("der {} steht neben der alten {}", "mein {} spricht heute mit dem {}")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Each training starts in an empty folder."""
    monkeypatch.chdir(tmp_path)


def train(source, *options, glove=SLICE):
    """Train a small model on a file; return what the command did."""
    quick = ("--preset", "article", "--filters", 4, "--epochs", 1)
    return command.train(source, "--glove", glove, "--out", "run", *quick, *options, check=False)


def train_on(content, name="data.csv", *options):
    """Train on a file of this content."""
    Path(name).write_bytes(content)
    return train(name, *options)


def as_table(rows, header=("text", "label"), delimiter=",", encoding="utf-8", before=""):
    """Return the content of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([header, *rows] if header else rows)
    return (before + text.getvalue()).encode(encoding)


def train_on_rows(rows, *options, name="data.csv", **table):
    """Train on a CSV file of these rows."""
    return train_on(as_table(rows, **table), name, *options)


def train_on_json(rows, *options):
    """Train on JSON lines."""
    write_json_lines(Path("data.jsonl"), rows)
    return train("data.jsonl", *options)


def german():
    """Return German sentences: two frames with random nouns."""
    random.seed(0)
    return [
        (frame.format(*random.choices(GERMAN_NOUNS, k=2)), label)
        for _ in range(100)
        for frame, label in zip(GERMAN, ("place", "person"))
    ]


def chinese():
    """Return Chinese sentences, which have no spaces."""
    random.seed(0)
    characters = [chr(code) for code in range(0x4E00, 0x4E40)]
    return [("".join(random.choices(characters, k=8)), str(n % 2)) for n in range(200)]


def segmented_with_vectors():
    """Train on segmented Chinese with vectors of its words."""
    rows = [(" ".join(text), label) for text, label in chinese()]
    words = sorted({word for text, _ in rows for word in text.split()})
    lines = [f"{word} {' '.join(f'{random.gauss(0, 1):.3f}' for _ in range(20))}" for word in words]
    content = f"{len(words)} 20\n{chr(10).join(lines)}\n"
    Path("zh.vec.gz").write_bytes(gzip.compress(content.encode()))
    Path("data.csv").write_bytes(as_table(rows))
    return train("data.csv", glove="zh.vec.gz")


def absurd_vectors():
    """Train with vectors of values that no arithmetic survives."""
    words = sorted({word for text, _ in PAIRS for word in text.split()})
    lines = "".join(f"{word} {' '.join(['1e30'] * 20)}\n" for word in words)
    Path("absurd.txt").write_text(lines, "utf-8")
    Path("data.csv").write_bytes(as_table(PAIRS))
    return train("data.csv", glove="absurd.txt")


def vectors_that_are_no_text():
    """Train with a program as the vectors."""
    Path("data.csv").write_bytes(as_table(PAIRS))
    return train("data.csv", glove=sys.executable)


def parquet():
    """Train on a Parquet file."""
    polars.DataFrame(PAIRS, schema=["text", "label"], orient="row").write_parquet("data.parquet")
    return train("data.parquet")


def label_sets():
    """Return texts with any number of labels, separated by pipes."""
    sets = ("{}|long", "{}", "", "long")
    rows = [row for row in GLOSS_ROWS if row[1] in ("animal", "person")][:400]
    return [(text, sets[n % 4].format(label)) for n, (text, label) in enumerate(rows)]


def train_on_flags(value, *options):
    """Train on a table with a column for each of two labels, which holds 0 or a value."""
    rows = [
        (n, text, value * (label == "animal"), value * (label == "person" or n % 3 == 0))
        for n, (text, label) in enumerate(PAIRS)
    ]
    return train_on_rows(rows, *options, header=("id", "text", "animal", "person"))


def single_label_text_with_multi_label_dev_text():
    """Train on text with a label each, with dev text of any number of labels."""
    Path("dev.csv").write_bytes(as_table(label_sets(), header=("text", "labels")))
    return train_on_rows(PAIRS, "--dev", "dev.csv")


def twice():
    """Train twice to the same folder."""
    train_on_rows(PAIRS[:100])
    return train_on_rows(PAIRS[:100])


#: What works -> how it is trained on, and what the command says.
WORKING = {
    "12 texts": (lambda: train_on_rows(PAIRS[:12], *BASE), "dev texts"),
    "a rare label with --min-texts 5": (
        lambda: train_on_rows([*PAIRS, ("a lone text", "rare")], "--min-texts", 5),
        "",
    ),
    "texts of one word": (
        lambda: train_on_rows([(text.split()[-1], label) for text, label in PAIRS], *BASE),
        "",
    ),
    "Windows-1252": (
        lambda: train_on_rows(
            [(f"{text} für die Größe", label) for text, label in PAIRS], encoding="cp1252"
        ),
        "cp1252",
    ),
    "UTF-16 with a mark": (lambda: train_on_rows(PAIRS, encoding="utf-16"), ""),
    "sep=; in the first line": (
        lambda: train_on_rows(PAIRS, delimiter=";", before="sep=;\n"),
        "",
    ),
    "pipes in .csv": (lambda: train_on_rows(PAIRS, delimiter="|"), ""),
    "tabs in .csv": (lambda: train_on_rows(PAIRS, delimiter="\t"), ""),
    "Parquet": (parquet, ""),
    "JSON labels of several types": (
        lambda: train_on_json(
            [
                {"text": text, "label": (1, "1", True)[n % 3] if label == "animal" else 0}
                for n, (text, label) in enumerate(PAIRS)
            ],
            *("--min-texts", 2),
        ),
        "",
    ),
    "no header": (lambda: train_on_rows(PAIRS, header=()), ""),
    "two text columns": (
        lambda: train_on_rows(
            [(text[:20], text, label) for text, label in PAIRS],
            *("--text-column", "subject", "--text-column", "body"),
            header=("subject", "body", "label"),
        ),
        "",
    ),
    "HTML with --strip-html": (
        lambda: train_on_rows(
            [(f"<p>{text} &amp; <b>more</b></p>", label) for text, label in PAIRS], "--strip-html"
        ),
        "",
    ),
    "a text of a million words": (
        lambda: train_on_rows([*PAIRS, ("bird " * 1_000_000, "animal")], *BASE),
        "",
    ),
    "labels that differ in case": (
        lambda: train_on_rows([*PAIRS, *((text, "Animal") for text, _ in GLOSS_ROWS[:60])]),
        "Animal",
    ),
    "N/A as a label": (
        lambda: train_on_rows([*PAIRS, *((f"{text} n", "N/A") for text, _ in GLOSS_ROWS[:60])]),
        "N/A",
    ),
    "numbers as labels": (
        lambda: train_on_rows([(text, 2 if label == "animal" else 10) for text, label in PAIRS]),
        "",
    ),
    "a file name with a space and a $": (lambda: train_on_rows(PAIRS, name="my $data.csv"), ""),
    "a column labels with pipes and empty cells": (
        lambda: train_on_rows(label_sets(), *BASE, header=("text", "labels")),
        "micro F1",
    ),
    "a;b;c in a column label": (
        lambda: train_on_rows(
            [(t, f"{'abc'[n % 3]};{'de'[n % 2]};{n % 7}") for n, (t, _) in enumerate(PAIRS)]
        ),
        "--label-separator",
    ),
    "0/1 columns": (lambda: train_on_flags(1, "--label-columns", "3-4"), ""),
    "segmented Chinese with its own .vec.gz": (segmented_with_vectors, ""),
}

#: What is refused -> how it is trained on, and what the one line says.
REFUSED = {
    "one text of a label": (
        lambda: train_on_rows([*PAIRS, ("a lone text", "rare")]),
        "--min-texts",
    ),
    "one label": (lambda: train_on_rows([(text, "a") for text, _ in PAIRS]), "two labels or more"),
    "the same text 200 times": (
        lambda: train_on_rows([("same", label) for _, label in PAIRS]),
        "distinct texts",
    ),
    "an empty file": (lambda: train_on(b""), "data.csv"),
    "a header and no rows": (lambda: train_on(b"text,label\n"), "data.csv"),
    "empty texts": (lambda: train_on_rows([*PAIRS, ("", "animal")]), "line 202"),
    "a JSON array": (lambda: train_on(b'[{"text": "a"}]', "data.json"), "JSONL"),
    "a quote that is never closed": (
        lambda: train_on(b'text,label\n"open,animal\n' + b"x,person\n" * 50),
        "line 2",
    ),
    "a truncated .gz": (
        lambda: train_on(gzip.compress(as_table(PAIRS))[:-30], "data.csv.gz"),
        "damaged",
    ),
    "a column of ids as labels": (
        lambda: train_on_rows(
            [(f"{text} {n}", f"id{n}") for n, (text, _) in enumerate(GLOSS_ROWS * 3)]
        ),
        "label column",
    ),
    "labels of numpy: ['a' 'b']": (
        lambda: train_on_rows(
            [(text, f"['{label}' 'x']") for text, label in PAIRS], header=("text", "labels")
        ),
        "expected a list of labels",
    ),
    "0/1 columns, not named": (lambda: train_on_flags(1), "--label-columns"),
    "a score of 0.7 in a 0/1 column": (
        lambda: train_on_flags(0.7, "--label-columns", "animal,person"),
        "expected 0 or 1",
    ),
    "a label of every text": (
        lambda: train_on_rows(
            [(text, f"{label}|all") for text, label in PAIRS], header=("text", "labels")
        ),
        "'all'",
    ),
    "multi-label dev text of single-label text": (
        single_label_text_with_multi_label_dev_text,
        "multi-label",
    ),
    "German, English vectors": (lambda: train_on_rows(german()), "--vectors"),
    "Chinese, English vectors": (lambda: train_on_rows(chinese()), "take vectors of the text"),
    "emoji": (
        lambda: train_on_rows([("🙂" * (n % 9 + 1), str(n % 2)) for n in range(200)]),
        "covers 0.0%",
    ),
    "a file that does not exist": (lambda: train("missing.csv"), "missing.csv"),
    "a run folder that exists": (twice, "--overwrite"),
    "vectors of 1e30": (absurd_vectors, "not finite"),
    "vectors that are no text": (vectors_that_are_no_text, Path(sys.executable).name),
}


@pytest.mark.parametrize("name", WORKING)
def test_odd_text_is_trained_on(name):
    attempt, expected = WORKING[name]
    done = attempt()
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout + done.stderr
    assert read_json(Path("run/metrics.json"))["scores"]


@pytest.mark.parametrize("name", REFUSED)
def test_text_that_cannot_be_used_is_refused_in_one_line(name):
    attempt, expected = REFUSED[name]
    done = attempt()
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert expected in line


def test_an_option_out_of_its_range_is_wrong_usage():
    done = train_on_rows(PAIRS, "--filters", -3)
    assert done.returncode == 2
    assert "--filters" in done.stderr
