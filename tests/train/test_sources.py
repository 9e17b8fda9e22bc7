"""Several sources in one training: labels, places in messages, the split, scores by source."""

import io
import sys

import numpy as np
import pytest

from glovelite.data.labelled_text import TextSource
from glovelite.evaluation.scores import score_sources
from glovelite.train import DataError, OptionsError, TrainingRequest
from glovelite.train.data.build_corpus import describe_corpus
from glovelite.train.data.inputs import InputTexts
from glovelite.train.data.sources import read_inputs
from glovelite.train.data.splitting.split import split_inputs
from tests.helpers import GLOSSES, SLICE, read_csv, read_json, write_csv, write_json_lines
from tests.train.command import train

QUICK = ("--glove", SLICE, "--preset", "article", "--epochs", 1, "--filters", 2)


def read(*paths, **options):
    return read_inputs([TextSource(str(path)) for path in paths], **options)


def write_jsonl(path, rows):
    return write_json_lines(path, [{"review": text, "sentiment": label} for text, label in rows])


def rows_of(name, labels="ab", count=30):
    return [(f"{name} {n}", labels[n % len(labels)]) for n in range(count)]


@pytest.fixture
def one(tmp_path):
    return write_csv(tmp_path / "one.csv", rows_of("one"))


@pytest.fixture
def two(tmp_path):
    return write_jsonl(tmp_path / "two.jsonl", rows_of("two", count=10))


@pytest.fixture
def film_folder(tmp_path):
    """A folder in aclImdb's layout with test text and no dev text."""
    for part, count in (("train", 20), ("test", 4)):
        for label in "ab":
            folder = tmp_path / "films" / part / label
            folder.mkdir(parents=True)
            for n in range(count):
                (folder / f"{n}.txt").write_text(f"films {part} {label} {n}")
    return tmp_path / "films"


def test_texts_of_all_sources_are_read_in_their_order(one, two):
    corpus = read(one, two).train
    assert list(zip(corpus.texts, corpus.labels)) == rows_of("one") + rows_of("two", count=10)
    assert {name: len(rows) for name, rows in corpus.rows_by_source().items()} == {
        "one.csv": 30,
        "two.jsonl": 10,
    }


def test_a_place_names_the_source_and_its_line(one, two, film_folder):
    corpus = read(one, two, film_folder).train
    assert corpus.where(0) == f"{one}, line 2"
    assert corpus.where(30) == f"{two}, line 1"
    assert corpus.where(40) == str(film_folder / "train" / "a" / "0.txt")
    assert corpus.select([45, 31]).where(1) == f"{two}, line 2"


def test_a_bad_row_is_named_with_its_source(one, two):
    two.write_text(two.read_text() + '{"review": "", "sentiment": "a"}\n')
    with pytest.raises(DataError, match=r"two\.jsonl: 1 row cannot be used: line 11: the text is"):
        read(one, two)


def test_labels_are_matched_by_name(tmp_path, one):
    other = write_csv(tmp_path / "other.csv", rows_of("other", "zb"))
    corpus = read(other, one).train
    assert corpus.classes == ("a", "b", "z")
    assert corpus.labels[:3] == ["z", "b", "z"]
    assert corpus.labels[30:33] == ["a", "b", "a"]


def test_labels_that_a_source_lacks_are_reported(tmp_path, one, two):
    other = write_csv(tmp_path / "other.csv", rows_of("other", "zb"))
    lines = list(describe_corpus(read(one, other).train))
    assert "warning: the labels of the sources differ: one.csv lacks z; other.csv lacks a" in lines
    assert not any("differ" in line for line in describe_corpus(read(one, two).train))


def test_many_missing_labels_are_counted(tmp_path, one):
    labels = [f"label {n:02}" for n in range(20)]
    other = write_csv(tmp_path / "other.csv", rows_of("other", ["a", "b", *labels], 66))
    (warning,) = [line for line in describe_corpus(read(one, other).train) if "differ" in line]
    assert warning.endswith("label 08, label 09 and 10 more")


def test_a_label_with_too_few_texts_in_all_sources_is_named(tmp_path, one):
    other = write_csv(tmp_path / "other.csv", [*rows_of("other"), ("lonely", "c")])
    with pytest.raises(DataError, match=r"fewer of 'c' \(1, .*other\.csv, line 32\)"):
        split_inputs(read(one, other), 0)


def test_copies_in_two_sources_stay_in_one_part(tmp_path, one):
    copy = write_csv(tmp_path / "copy.csv", [*rows_of("one"), *rows_of("copy")])
    inputs = read(one, copy)
    assert inputs.train.duplicates == 30
    for seed in range(5):
        parts = [set(part.texts) for _, part in split_inputs(inputs, seed)]
        assert len(set.union(*parts)) == sum(map(len, parts)) == 60


def test_contradictory_labels_in_two_sources_are_reported(tmp_path, one):
    other = write_csv(tmp_path / "other.csv", [("new", "a"), ("one 0", "b")])
    lines = list(describe_corpus(read(one, other).train))
    assert any(f"1 texts have two labels, the first at {other}, line 3" in line for line in lines)


def test_dev_and_test_text_holds_texts_of_every_source(one, tmp_path):
    other = write_csv(tmp_path / "other.csv", rows_of("other", count=40))
    split = split_inputs(read(one, other), 0)
    for part in (split.dev, split.test):
        assert sum(map(len, part.rows_by_source().values())) == len(part) == 8  # 4 of each class


def test_a_folder_brings_its_test_text_and_the_others_give_a_tenth(film_folder, one):
    split = split_inputs(read(film_folder, one), 0)
    test = list(split.test.texts)
    assert sum(text.startswith("films test") for text in test) == 8
    assert sum(text.startswith("one") for text in test) == 4  # 2 of each class
    assert not any("films train" in text for text in test)
    assert set(split.test.rows_by_source()) == {"films", "one.csv"}
    assert any("films train" in text for text in split.dev.texts)  # no folder: drawn from both
    assert len(split.train) + len(split.dev) + len(split.test) == 78


def test_a_separate_test_file_is_the_test_text_of_all_sources(tmp_path, film_folder, one):
    given = write_csv(tmp_path / "given.csv", [("given one", "a"), ("given two", "b")])
    split = split_inputs(read(film_folder, one, test=str(given)), 0)
    assert list(split.test.texts) == ["given one", "given two"]


def write_columns(path, column, values):
    """Write two classes of texts with a further column, the values of which are repeated."""
    rows = [(f"{path.stem} {n}", "ab"[n % 2], values[n // 2 % len(values)]) for n in range(40)]
    return write_csv(path, rows, ("text", "label", column))


def read_columns(*paths, **columns):
    return read_inputs([TextSource(str(path), **columns) for path in paths])


def test_a_group_of_two_sources_stays_in_one_part(tmp_path):
    one = write_columns(tmp_path / "one.csv", "author", ["ann", *"cdefghi"])
    two = write_columns(tmp_path / "two.csv", "author", ["ann", *"pqrstuv"])
    inputs = read_columns(one, two, group_column="author")
    for seed in range(5):
        for _, part in split_inputs(inputs, seed):
            assert ("one 0" in part.texts) == ("two 1" in part.texts)


def test_the_newest_texts_of_all_sources_are_test_text(tmp_path):
    old = write_columns(tmp_path / "old.csv", "year", [2001, 2003, 2005, 2007, 2009])
    new = write_columns(tmp_path / "new.csv", "year", [2000, 2002, 2004, 2006, 2008])
    split = split_inputs(read_columns(old, new, time_column="year"), 0)
    assert set(split.test.rows_by_source()) == {"old.csv"}
    assert set(split.dev.rows_by_source()) == {"new.csv"}


def test_times_of_all_sources_are_of_one_kind(tmp_path):
    one = write_columns(tmp_path / "one.csv", "time", [2001])
    two = write_columns(tmp_path / "two.csv", "time", ["2001-05-31"])
    with pytest.raises(
        DataError, match=r"two\.csv: expected numbers as the times, like in .*one\."
    ):
        read_columns(one, two, time_column="time")


def test_a_source_without_the_group_column_is_named(tmp_path, one):
    other = write_columns(tmp_path / "other.csv", "author", "xyz")
    with pytest.raises(DataError, match=r"one\.csv: there is no column 'author'"):
        read_columns(other, one, group_column="author")


def test_a_source_without_columns_is_named(tmp_path, film_folder):
    other = write_columns(tmp_path / "other.csv", "author", "xyz")
    with pytest.raises(DataError, match=r"films.* has no columns, so --group-column author needs"):
        read_columns(other, film_folder, group_column="author")


def test_a_request_needs_a_group_column_for_every_source(tmp_path):
    sources = (TextSource("x.csv", group_column="author"), TextSource("y.csv"))
    with pytest.raises(OptionsError, match=r"y\.csv: expected a group column as for the other"):
        TrainingRequest(sources, tmp_path)


def test_equal_names_are_numbered(tmp_path):
    paths = [write_csv(tmp_path / name / "data.csv", rows_of(name)) for name in ("x", "y")]
    assert list(read(*paths).train.rows_by_source()) == ["data.csv", "data.csv (2)"]


def test_standard_input_is_one_of_the_sources(one, monkeypatch):
    content = "".join(f"__label__{label} {text}\n" for text, label in rows_of("piped"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    corpus = read(one, "-").train
    assert len(corpus) == 60
    assert corpus.where(30) == "standard input, line 1"


def test_standard_input_is_read_only_once(one):
    for paths, options in ((("-", one, "-"), {}), ((one, "-"), {"dev": "-"})):
        with pytest.raises(DataError, match="can be read only once"):
            read(*paths, **options)


def test_a_source_given_twice_is_an_error(one, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"one\.csv is given twice: give every source once"):
        read("one.csv", one)


def test_a_missing_source_is_found_before_the_first_is_read(one):
    one.write_text("text,label\nwithout a label\n")
    with pytest.raises(DataError, match=r"nowhere\.csv is neither"):
        read(one, "nowhere.csv")


def test_a_source_without_texts_is_an_error(one, tmp_path):
    empty = write_csv(tmp_path / "empty.csv", [])
    with pytest.raises(DataError, match=r"empty\.csv holds no texts"):
        read(one, empty)


def test_score_sources_scores_each_source_apart():
    targets, predicted = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 1])
    rows = {"x": np.array([0, 1, 2]), "y": np.array([3])}
    scores = score_sources(targets, predicted, rows)
    assert [(score.texts, score.accuracy) for score in scores.values()] == [(3, 2 / 3), (1, 0.0)]
    low, high = scores["x"].interval
    assert low < 2 / 3 < high


def test_the_run_records_and_prints_each_source(tmp_path):
    header, *lines = GLOSSES.read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "one.csv").write_text(header + "".join(lines[::2]), "utf-8")
    (tmp_path / "two.csv").write_text(header + "".join(lines[1::2]), "utf-8")
    sources = (tmp_path / "one.csv", tmp_path / "two.csv")
    done = train(*sources, *QUICK, "--out", tmp_path / "run")
    metrics = read_json(tmp_path / "run/metrics.json")
    assert metrics["corpus"]["name"] == "one.csv, two.csv"
    assert metrics["corpus"]["sources"] == {"one.csv": 1000, "two.csv": 1000}
    for part in ("dev", "test"):
        scores, whole = metrics["source_scores"][part], metrics["scores"][part]
        assert sum(score["texts"] for score in scores.values()) == whole["texts"]
        correct = sum(score["texts"] * score["accuracy"] for score in scores.values())
        assert correct / whole["texts"] == pytest.approx(whole["accuracy"])
    two = metrics["source_scores"]["test"]["two.csv"]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("two.csv: dev")]
    assert line.endswith(f", test accuracy {two['accuracy']:.1%} ({two['texts']:,} texts)")


def test_a_run_on_one_source_has_no_scores_by_source(run_folder):
    metrics = read_json(run_folder / "metrics.json")
    assert metrics["corpus"]["sources"] == {"glosses.csv": 2000}
    assert metrics["source_scores"] == {}


@pytest.fixture
def parts(tmp_path):
    """A folder with tables named after the parts of a split, and one that is not."""
    names = {"train-0": 20, "train-1": 10, "validation": 4, "test": 6, "notes": 10}
    for name, count in names.items():
        write_csv(tmp_path / f"parts/{name}.csv", rows_of(name, count=count))
    return tmp_path / "parts"


def test_files_named_after_parts_are_these_parts(parts, logged):
    inputs = read(parts)
    expected = {
        "train": [*rows_of("train-0", count=20), *rows_of("train-1", count=10)],
        "dev": rows_of("validation", count=4),
        "test": rows_of("test", count=6),
    }
    for name, rows in expected.items():
        corpus = getattr(inputs, name)
        assert list(zip(corpus.texts, corpus.labels)) == rows
    assert any("notes.csv" in line and line.startswith("ignored") for line in logged)


def test_folders_of_parts_may_hold_tables(tmp_path):
    for name, count in (("train", 10), ("dev", 4)):
        (tmp_path / "parts" / name).mkdir(parents=True)
        write_jsonl(tmp_path / "parts" / name / "a.jsonl", rows_of(name, count=count))
    inputs = read(tmp_path / "parts")
    assert (len(inputs.train), len(inputs.dev), inputs.test) == (10, 4, None)


def test_a_folder_is_the_same_text_as_its_rows_in_one_file(tmp_path):
    """The same texts and labels in the same order, so the same split, vocabulary and weights."""
    rows = [tuple(row.values()) for row in read_csv(GLOSSES)]
    for name, chosen in (("one", rows), ("parts/1", rows[:1000]), ("parts/2", rows[1000:])):
        write_csv(tmp_path / f"{name}.csv", chosen)
    one, folder = (read(tmp_path / name).train for name in ("one.csv", "parts"))
    assert folder.fingerprint == one.fingerprint
    parts = [split_inputs(InputTexts(source), 3) for source in (one, folder)]
    assert all(a.fingerprint == b.fingerprint for (_, a), (_, b) in zip(*parts))
