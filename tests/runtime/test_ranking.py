"""glovelite-run --rank: the rows of a file, those whose labels would teach most first."""

import csv
import json
import math
import re
import signal
import subprocess
import time

import pytest
from helpers import GLOSSES, LEGACY_BUNDLE, run
from hypothesis import given
from hypothesis import strategies as st
from multi_label import write_multi_label_bundle

from glovelite import Classifier
from glovelite.runtime.scoring.selection import (
    MAX_TEXT_TOKENS,
    SelectionWeights,
    TextPool,
    measure_entropy,
    measure_usefulness,
)
from glovelite.runtime.text.vocabulary import Encoded

ADDED = ["rank", "predicted_label", "entropy"]
TEXTS = ["a small wild bird", "a tall tree or a singer", "zxqv wvut", "a sweet cake with nuts"]
TIMEOUT = 120


def write_texts(path, texts):
    path.write_text("".join(json.dumps({"id": n, "text": t}) + "\n" for n, t in enumerate(texts)))
    return path


def read_rows(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def order(texts, usefulness, spread=1.0):
    pool = TextPool()
    for text, value in zip(texts, usefulness):
        pool.add(text.split(), value)
    return list(pool.order(SelectionWeights(spread=spread)))


@pytest.fixture
def rank(command):
    """A function that ranks a file and returns what the command printed."""

    def call(source, target, *options, check=True):
        files = ("--input", source, "--output", target)
        return command(*files, "--rank", "uncertain", *options, check=check)

    return call


def test_entropy_is_0_if_certain_and_1_if_all_labels_are_equal():
    assert measure_entropy([1.0, 0.0, 0.0], multi_label=False) == 0
    assert measure_entropy([0.25] * 4, multi_label=False) == pytest.approx(1)
    assert measure_entropy([1.0, 0.0], multi_label=True) == 0
    assert measure_entropy([0.5, 0.5, 0.5], multi_label=True) == pytest.approx(1)


def test_entropy_of_a_multi_label_bundle_is_the_mean_of_its_labels():
    assert measure_entropy([0.5, 1.0, 0.0, 0.0], multi_label=True) == pytest.approx(0.25)


@given(st.lists(st.floats(0, 1), min_size=2), st.booleans())
def test_entropy_is_between_0_and_1(probabilities, multi_label):
    assert 0 <= measure_entropy(probabilities, multi_label) <= 1


def test_unknown_and_unfamiliar_words_make_a_text_more_useful():
    weights = SelectionWeights(unknown=0.5, unfamiliar=0.25)
    known, half = Encoded([2, 3], False, 15.0), Encoded([2, 1], False, 15.0)
    assert measure_usefulness(0.5, known, True, weights) == 0.5
    assert measure_usefulness(0.5, half, True, weights) == 0.75
    assert measure_usefulness(0.5, Encoded([2], False, 7.5), True, weights) == 0.625
    assert measure_usefulness(0.5, Encoded([2], False, 0.0), False, weights) == 0.5


def test_the_most_useful_text_is_first_and_equal_ones_keep_their_order():
    assert order(["a", "b", "c", "d"], [0.1, 0.9, 0.5, 0.5]) == [1, 2, 3, 0]


def test_near_copies_of_texts_ranked_higher_come_later():
    texts = ["red fox", "red fox runs", "red fox jumps", "blue whale"]
    assert order(texts, [0.9, 0.89, 0.88, 0.7])[:2] == [0, 3]
    assert order(texts, [0.9, 0.89, 0.88, 0.7], spread=0) == [0, 1, 2, 3]


def test_shared_rare_words_count_more_than_shared_common_ones():
    texts = ["the zebra", "the walrus", "a zebra", *["the cat"] * 20, *["a cat"] * 20]
    assert order(texts, [1, 0.8, 0.8, *[0.01] * 40])[:3] == [0, 1, 2]


def test_a_text_without_words_is_last():
    assert order(["", "a b"], [1.0, 0.01]) == [1, 0]


@given(st.lists(st.tuples(st.text("ab ", max_size=6), st.floats(0, 1)), max_size=30))
def test_every_text_is_ranked_once(pairs):
    texts, usefulness = zip(*pairs) if pairs else ((), ())
    assert sorted(order(texts, usefulness)) == list(range(len(texts)))


def test_the_order_is_that_of_a_search_through_all_texts_if_updates_suffice():
    texts = ["a b", "b c", "c d", "d e f", "a f", "b e"]
    usefulness = [0.9, 0.8, 0.85, 0.7, 0.75, 0.6]
    sets = [set(text.split()) for text in texts]
    weight = {
        token: math.log1p(len(texts) / sum(token in each for each in sets))
        for token in set().union(*sets)
    }
    remaining, seen, expected = set(range(len(texts))), dict.fromkeys(weight, 0), []
    while remaining:
        values = {
            index: usefulness[index]
            * sum(weight[t] / (1 + seen[t]) for t in sets[index])
            / sum(weight[t] for t in sets[index])
            for index in remaining
        }
        best = max(remaining, key=values.__getitem__)
        expected.append(best)
        remaining.remove(best)
        for token in sets[best]:
            seen[token] += 1
    assert order(texts, usefulness) == expected


def test_a_long_text_takes_as_much_memory_as_one_of_64_words():
    pool = TextPool()
    pool.add([str(number) for number in range(10_000)], 0.5)
    assert len(pool._hashes) == MAX_TEXT_TOKENS


def test_rows_are_written_in_order_with_three_added(rank, bundle, tmp_path):
    source, target = write_texts(tmp_path / "in.jsonl", TEXTS), tmp_path / "new" / "next.jsonl"
    done = rank(source, target)
    rows = read_rows(target)
    assert "next.jsonl: 4 of 4 rows, the most useful first" in done.stdout
    assert [list(row) for row in rows] == [["id", "text", *ADDED]] * 4
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert sorted(row["text"] for row in rows) == sorted(TEXTS)
    by_text = dict(zip(TEXTS, Classifier.load(bundle).predict(TEXTS)))
    for row in rows:
        prediction = by_text[row["text"]]
        assert row["predicted_label"] == prediction.label
        probabilities = [*prediction.probabilities.values()]
        assert row["entropy"] == round(measure_entropy(probabilities, False), 6)
    assert rows[0]["text"] == "zxqv wvut"
    assert [path.name for path in target.parent.iterdir()] == ["next.jsonl"]


def test_count_writes_only_the_first(rank, tmp_path):
    source = write_texts(tmp_path / "in.jsonl", TEXTS)
    rank(source, tmp_path / "all.jsonl")
    rank(source, tmp_path / "two.jsonl", "--count", "2")
    assert read_rows(tmp_path / "two.jsonl") == read_rows(tmp_path / "all.jsonl")[:2]
    done = rank(source, tmp_path / "many.jsonl", "--count", "99", "--json")
    assert json.loads(done.stdout)["rows"] == 4


@pytest.mark.parametrize("name", ["next.csv", "next.tsv", "next.csv.gz", "next.jsonl.gz"])
def test_other_formats(rank, tmp_path, name):
    import gzip

    source, target = tmp_path / "in.csv", tmp_path / name
    source.write_text("text,id\na tall tree,7\n")
    rank(source, target, "--prefix", "my_")
    content = target.read_bytes()
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
    if "jsonl" in name:
        row = json.loads(text)
    else:
        names, values = csv.reader(text.splitlines(), delimiter="\t" if "tsv" in name else ",")
        row = dict(zip(names, values))
    assert list(row) == ["text", "id", *(f"my_{each}" for each in ADDED)]
    assert (str(row["my_rank"]), row["my_predicted_label"]) == ("1", "plant")


def test_a_multi_label_bundle_writes_its_labels(device_python, tmp_path):
    folder = write_multi_label_bundle(LEGACY_BUNDLE, tmp_path / "bundle")
    source, target = write_texts(tmp_path / "in.jsonl", TEXTS), tmp_path / "next.jsonl"
    files = ("--input", source, "--output", target, "--rank", "uncertain")
    run(device_python, "-m", "glovelite.runtime", folder, *files)
    rows = read_rows(target)
    (row,) = (row for row in rows if row["text"] == TEXTS[1])
    (prediction,) = Classifier.load(folder).predict(TEXTS[1])
    assert list(row) == ["id", "text", "rank", "predicted_labels", "entropy"]
    assert row["predicted_labels"] == list(prediction.labels)
    assert row["entropy"] == round(measure_entropy([*prediction.probabilities.values()], True), 6)


@pytest.mark.parametrize("texts", [[], ["a tree"], ["a tree"] * 50, ["", " ", "a tree"]])
def test_copies_are_written_once(rank, tmp_path, texts):
    source, target = write_texts(tmp_path / "in.jsonl", texts), tmp_path / "next.jsonl"
    summary = json.loads(rank(source, target, "--json").stdout)
    different = list(dict.fromkeys(text.strip() for text in texts))
    rows = read_rows(target)
    assert sorted(row["text"] for row in rows) == sorted(different)
    assert (summary["texts"], summary["rows"]) == (len(texts), len(different))
    assert summary["copies"] == len(texts) - len(different)
    assert sum(summary["labels"].values()) == len(different)


def test_ten_thousand_near_copies_come_after_another_text(rank, tmp_path):
    texts = [f"an odd zxqv number{number}" for number in range(10_000)]
    source = write_texts(tmp_path / "in.jsonl", [*texts, "zxqv zebras"])
    rank(source, tmp_path / "next.jsonl")
    rows = read_rows(tmp_path / "next.jsonl")
    assert len(rows) == 10_001
    assert [row["text"] for row in rows].index("zxqv zebras") < 10


def test_a_table_without_rows_keeps_its_header(rank, tmp_path):
    (tmp_path / "in.csv").write_text("id,text\n")
    assert "0 of 0 rows" in rank(tmp_path / "in.csv", tmp_path / "next.csv").stdout
    assert (tmp_path / "next.csv").read_text().splitlines() == ["id,text," + ",".join(ADDED)]


def test_bad_rows_stop_or_are_skipped(rank, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "next.csv"
    source.write_text("id,text\n1,a tree\n2\n3,a bird\n")
    done = rank(source, target, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "in.csv, line 3: expected 2 fields" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
    done = rank(source, target, "--skip-bad-lines", "--json")
    summary = json.loads(done.stdout)
    assert (summary["texts"], summary["rows"], summary["skipped"]) == (2, 2, 1)
    assert "line 3: expected 2 fields, found 1: skipped" in done.stderr


@pytest.mark.parametrize("name", ADDED)
def test_a_column_is_never_replaced(rank, tmp_path, name):
    (tmp_path / "in.csv").write_text(f"text,{name}\na tree,mine\n")
    done = rank(tmp_path / "in.csv", tmp_path / "next.csv", check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f'already has a column "{name}"' in done.stderr


def test_an_existing_output_is_kept_unless_overwrite_is_given(rank, tmp_path):
    source, target = write_texts(tmp_path / "in.jsonl", TEXTS), tmp_path / "next.jsonl"
    target.write_text("mine")
    assert "exists: choose another output" in rank(source, target, check=False).stderr
    assert target.read_text() == "mine"
    rank(source, target, "--overwrite")
    assert len(read_rows(target)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rank", "uncertain"), "--rank needs --input"),
        (("--rank", "uncertain", "a text"), "--rank needs --input"),
        (("--rank", "best", "--input", "a.csv", "--output", "b.csv"), "invalid choice: 'best'"),
        (("--count", "3"), "--count needs --rank"),
        (("--count", "3", "--input", "a.csv", "--output", "b.csv"), "--count needs --rank"),
        (
            ("--rank", "uncertain", "--abstain", "--input", "a.csv", "--output", "b.csv"),
            "--abstain does not go with --rank",
        ),
        (
            ("--rank", "uncertain", "--count", "0", "--input", "a.csv", "--output", "b.csv"),
            "expected a positive integer",
        ),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(command, options, message):
    done = command(*options, check=False)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_ranking_writes_nothing_and_starts_again(
    device_python, bundle, rank, tmp_path, how
):
    with GLOSSES.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    source = tmp_path / "in.jsonl"
    write_texts(source, [f"{text} {number}" for number in range(30) for text in texts])
    target = tmp_path / "next.jsonl"
    files = ("--input", source, "--output", target, "--rank", "uncertain")
    deadline = time.monotonic() + TIMEOUT
    command = [device_python, "-m", "glovelite.runtime", bundle, *files]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        while not (tmp_path / "next.jsonl.partial").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(how)
        _, errors = process.communicate(timeout=TIMEOUT)
    assert not target.exists()
    if how != signal.SIGKILL:
        assert process.returncode == 128 + how
        assert "interrupted: nothing was written" in errors
        assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    write_texts(source, TEXTS)
    assert rank(source, target).stderr == ""
    assert len(read_rows(target)) == 4
    assert not [path for path in tmp_path.iterdir() if re.search("partial|lock", path.name)]


def test_a_partial_output_of_scoring_is_replaced_with_a_message(rank, tmp_path):
    source, target = write_texts(tmp_path / "in.jsonl", TEXTS), tmp_path / "next.jsonl"
    (tmp_path / "next.jsonl.partial").write_text("half a row")
    state = {"identity": {"the input": "x"}, "progress": {"records": 1, "size": 10}}
    (tmp_path / "next.jsonl.partial.json").write_text(json.dumps(state))
    assert "(another command left it): starting again" in rank(source, target).stderr
    assert len(read_rows(target)) == 4
