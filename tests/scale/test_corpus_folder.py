"""Corpus folders: which rows they have, that Ray changes nothing, and that training takes them."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import GLOSSES, ROOT, SLICE, read_json, run, write_user_modules

pytest.importorskip("ray", reason="needs the extra scale: run `make test-scale`")

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from glovelite.data.corpus_folder import read_counts
from glovelite.data.labelled_text import TextSource
from glovelite.runtime.errors import DataError, OptionsError, OutputError
from glovelite.runtime.text.tokenizer import Tokenizer
from glovelite.runtime.trained_text import TrainedText
from glovelite.scale.corpora import job as corpus_job
from glovelite.scale.corpora.job import make_corpus
from glovelite.scale.corpora.options import CorpusOptions
from glovelite.scale.corpora.steps import PARTS, find_ranges, mix
from glovelite.train.data.sources import read_inputs
from glovelite.train.vectors.embedding_table import count_tokens

GLOSS_ROWS = [
    (row["text"], row["label"])
    for row in csv.DictReader(GLOSSES.open(encoding="utf-8", newline=""))
]
COPIES, CONTRADICTIONS = 300, 40
SMALL_PARTS = CorpusOptions(rows_per_file=150, dev_share=0.1, test_share=0.1)


def make_rows():
    """Return the glosses with copies in random places, some of them with another label."""
    generator = random.Random(0)
    texts = dict.fromkeys(text for text, _ in GLOSS_ROWS)
    labels = dict(reversed(GLOSS_ROWS))
    rows = [(text, labels[text]) for text in texts]
    copies = generator.sample(rows, COPIES)
    contradicting = [
        (text, "plant" if label == "animal" else "animal")
        for text, label in copies[:CONTRADICTIONS]
    ]
    for row in contradicting + copies[CONTRADICTIONS:]:
        first = rows.index(next(other for other in rows if other[0] == row[0]))
        rows.insert(generator.randint(first + 1, len(rows)), row)
    return rows


ROWS = make_rows()
DISTINCT = dict(reversed(ROWS))  # text -> label of its first row


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The rows in three files: Parquet with two row groups, JSONL and gzipped CSV."""
    folder = tmp_path_factory.mktemp("rows")
    third = len(ROWS) // 3
    texts, labels = zip(*ROWS[:third])
    table = pa.table({"id": range(third), "text": texts, "label": labels})
    pq.write_table(table, folder / "a.parquet", row_group_size=third // 2)
    lines = [
        json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS[third : 2 * third]
    ]
    (folder / "b.jsonl").write_text("".join(lines), "utf-8")
    with (folder / "c.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS[2 * third :]])
    return folder


@pytest.fixture(scope="module")
def corpus(files, tmp_path_factory):
    """A corpus folder of the rows, made in this process."""
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    summary = make_corpus([str(files)], str(folder), SMALL_PARTS)
    return folder, summary


def read_part(folder, part):
    paths = sorted((folder / part).glob("*.parquet"))
    return [tuple(row.values()) for path in paths for row in pq.read_table(path).to_pylist()]


def read_content(folder):
    """Return the content of all files of a folder, by name."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


class TestRows:
    """The first of all copies is kept, in one part of the split."""

    def test_the_first_row_of_each_text_is_kept(self, corpus):
        folder, summary = corpus
        rows = [row for part in PARTS for row in read_part(folder, part)]
        assert len(rows) == len(DISTINCT)
        assert dict(rows) == DISTINCT
        assert (summary.rows, summary.copies) == (len(ROWS), COPIES)
        assert summary.contradictions == CONTRADICTIONS
        assert sum(summary.texts.values()) == len(DISTINCT)

    def test_rows_stay_in_their_order(self, corpus):
        texts = list(dict.fromkeys(text for text, _ in ROWS))
        found = [text for text, _ in read_part(corpus[0], "train")]
        kept = set(found)
        assert found == [text for text in texts if text in kept]

    def test_the_parts_have_about_their_shares_and_all_labels(self, corpus):
        _, summary = corpus
        for part in ("dev", "test"):
            assert summary.texts[part] == pytest.approx(len(DISTINCT) / 10, rel=0.2)
            assert set(summary.labels[part]) == set(DISTINCT.values())
        assert sum(summary.labels["train"].values()) == summary.texts["train"]

    def test_nothing_else_is_left(self, corpus):
        names = {path.name for path in corpus[0].iterdir()}
        assert names == {*PARTS, "corpus.json", "words.jsonl", "_job.json"}

    def test_ranges_of_hashes_change_nothing(self, files, corpus, tmp_path, monkeypatch):
        monkeypatch.setattr(corpus_job, "RANGE_BYTES", 50_000)
        make_corpus([str(files)], str(tmp_path / "out"), SMALL_PARTS)
        assert read_content(tmp_path / "out") == read_content(corpus[0])

    def test_a_text_stays_in_its_part_when_others_are_added(self, files, corpus, tmp_path):
        extra = [{"text": f"an added text {number}", "label": "animal"} for number in range(500)]
        inputs = [str(files), write_jsonl(tmp_path / "more.jsonl", extra)]
        make_corpus(inputs, str(tmp_path / "out"), SMALL_PARTS)
        for part in PARTS:
            assert set(read_part(corpus[0], part)) <= set(read_part(tmp_path / "out", part))

    def test_other_shares_exchange_no_dev_and_test_texts(self, files, corpus, tmp_path):
        options = CorpusOptions(dev_share=0.3, test_share=0.05)
        make_corpus([str(files)], str(tmp_path / "out"), options)
        dev, test = (set(read_part(corpus[0], part)) for part in ("dev", "test"))
        assert dev <= set(read_part(tmp_path / "out", "dev"))
        assert set(read_part(tmp_path / "out", "test")) <= test

    def test_another_seed_draws_other_texts(self, files, corpus, tmp_path):
        options = CorpusOptions(seed=1, dev_share=0.1, test_share=0.1)
        make_corpus([str(files)], str(tmp_path / "out"), options)
        one, other = (set(read_part(folder, "test")) for folder in (corpus[0], tmp_path / "out"))
        assert len(one & other) < 0.3 * len(one)

    def test_a_group_stays_in_one_part(self, tmp_path):
        rows = [
            {"text": f"text {n}", "label": "ab"[n % 2], "author": f"author {n // 10}"}
            for n in range(1000)
        ]
        source = TextSource("", group_column="author")
        inputs = [write_jsonl(tmp_path / "rows.jsonl", rows)]
        make_corpus(inputs, str(tmp_path / "out"), SMALL_PARTS, source)
        groups = [{row[2] for row in read_part(tmp_path / "out", part)} for part in PARTS]
        assert all(groups)
        assert sum(map(len, groups)) == 100

    def test_a_rare_label_stays_in_training_text(self, tmp_path, logged):
        rows = [
            {"text": f"text {n}", "label": "rare" if n < 30 else "ab"[n % 2]} for n in range(500)
        ]
        inputs = [write_jsonl(tmp_path / "rows.jsonl", rows)]
        summary = make_corpus(inputs, str(tmp_path / "out"), SMALL_PARTS)
        assert summary.labels["train"]["rare"] == 30
        assert any("'rare': fewer than 50 rows" in line for line in logged)

    def test_texts_with_several_labels(self, tmp_path):
        sets = (["a"], ["a", "b"], [], ["b", "c"])
        rows = [{"text": f"text {n}", "labels": sets[n % 4]} for n in range(400)]
        inputs = [write_jsonl(tmp_path / "rows.jsonl", rows)]
        summary = make_corpus(inputs, str(tmp_path / "out"), SMALL_PARTS)
        assert summary.multi_label
        found = [row for part in PARTS for row in read_part(tmp_path / "out", part)]
        assert sorted(found) == sorted((row["text"], row["labels"]) for row in rows)

    def test_few_dev_and_test_texts_are_drawn_from_many(self, files, tmp_path, monkeypatch):
        monkeypatch.setattr(corpus_job, "HELD_OUT_TEXTS", 100)
        summary = make_corpus([str(files)], str(tmp_path / "out"))
        assert summary.texts["dev"] == pytest.approx(100, rel=0.4)

    def test_uris(self, files, corpus, tmp_path):
        make_corpus([f"file://{files}"], f"file://{tmp_path}/out", SMALL_PARTS)
        assert read_part(tmp_path / "out", "train") == read_part(corpus[0], "train")


class TestHashes:
    @given(
        keys=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50), ranges=st.integers(1, 99)
    )
    def test_every_hash_is_in_a_range(self, keys, ranges):
        numbers = find_ranges(np.array(keys, np.uint64), ranges)
        assert numbers.min() >= 0
        assert numbers.max() < ranges
        assert (
            np.argsort(numbers, kind="stable")
            == np.argsort([k * ranges >> 64 for k in keys], kind="stable")
        ).all()

    def test_splitmix64(self):
        """The first numbers of the reference implementation's generator with the seed 0."""
        step = 0x9E3779B97F4A7C15
        keys = np.array([n * step % 2**64 for n in range(3)], np.uint64)
        expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
        assert mix(keys, 0).tolist() == expected


class TestRay:
    """On Ray the folder is the same, byte for byte, whatever dies."""

    @pytest.mark.usefixtures("cluster")
    def test_a_cluster_writes_the_same_folder(self, files, corpus, tmp_path, monkeypatch):
        monkeypatch.setattr(corpus_job, "RANGE_BYTES", 50_000)
        options = CorpusOptions(rows_per_file=150, dev_share=0.1, test_share=0.1, address="auto")
        make_corpus([str(files)], str(tmp_path / "out"), options)
        assert read_content(tmp_path / "out") == read_content(corpus[0])

    @pytest.mark.usefixtures("cluster")
    @pytest.mark.parametrize("step", ["scan", "write"])
    def test_a_worker_is_killed(self, files, corpus, tmp_path, wait_for, step):
        out, done = tmp_path / "out", []
        options = CorpusOptions(rows_per_file=150, dev_share=0.1, test_share=0.1, address="auto")
        thread = threading.Thread(
            target=lambda: done.append(make_corpus([str(files)], str(out), options))
        )
        thread.start()
        wait_for(lambda: list(out.glob(f"_work/{step}-*")))
        for process in psutil.process_iter(["cmdline"]):
            if f"ray::{step}_part" in str(process.info["cmdline"]):
                process.kill()
        thread.join(120)
        assert done
        assert read_content(out) == read_content(corpus[0])

    @pytest.mark.usefixtures("cluster")
    def test_an_error_in_a_worker_is_that_of_a_process(self, tmp_path):
        path = tmp_path / "rows.csv"
        path.write_text('text,label\n"open,a\n', "utf-8")
        errors = []
        for address in (None, "auto"):
            with pytest.raises(DataError) as error:
                make_corpus([str(path)], str(tmp_path / "out"), CorpusOptions(address=address))
            errors.append(str(error.value))
        assert errors[0] == errors[1]
        assert str(path) in errors[0]

    def test_a_users_modules_may_be_called_like_ours(self, files, corpus, tmp_path):
        write_user_modules(tmp_path)
        run(
            sys.executable, "-m", "glovelite.scale.corpora.cli", files, "out",
            "--rows-per-file", "150", "--dev-share", "0.1", "--test-share", "0.1",
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
        assert read_content(tmp_path / "out") == read_content(corpus[0])

    @pytest.mark.parametrize("step", ["scan", "copies", "write"])
    def test_a_killed_job_continues(self, files, corpus, tmp_path, wait_for, step):
        out = tmp_path / "out"
        command = [
            sys.executable, "-m", "glovelite.scale.corpora.cli", files, out,
            "--rows-per-file", "150", "--dev-share", "0.1", "--test-share", "0.1", "--json",
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as driver:
            wait_for(lambda: list(out.glob(f"_work/{step}-*.json")))
            driver.send_signal(signal.SIGKILL)
        assert not (out / "corpus.json").exists()
        with pytest.raises(DataError, match="unfinished"):
            read_inputs([TextSource(str(out))])
        times = {path: path.stat().st_mtime_ns for path in out.glob("_work/hashes-*")}
        time.sleep(0.05)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == read_json(corpus[0] / "corpus.json")
        assert times
        assert read_content(out) == read_content(corpus[0])


class TestErrors:
    """A message names the file and the row, and nothing is overwritten."""

    def test_bad_rows_are_named_and_can_be_skipped(self, tmp_path):
        path = tmp_path / "rows.jsonl"
        rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(200)]
        rows[10], rows[150] = {"text": "no label"}, {"text": "half a pair \ud83d", "label": "a"}
        lines = [json.dumps(row) + "\n" for row in rows]
        path.write_text("".join([*lines, "not JSON\n"]), "utf-8")
        with pytest.raises(DataError) as error:
            make_corpus([str(path)], str(tmp_path / "out"))
        message = str(error.value)
        assert message.startswith("3 rows cannot be used: ")
        assert "rows.jsonl, line 11: 'label' is missing" in message
        assert "line 151: character '\\ud83d' is half of a pair" in message
        assert "line 201: not JSON" in message
        options = CorpusOptions(skip_bad_rows=True)
        summary = make_corpus([str(path)], str(tmp_path / "out"), options, source=None)
        assert (summary.rows, summary.bad_rows) == (198, 3)

    def test_corrected_rows_need_no_other_folder(self, tmp_path):
        rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(200)]
        path = write_jsonl(tmp_path / "rows.jsonl", [*rows, {"text": "no label"}])
        with pytest.raises(DataError, match="1 row cannot be used"):
            make_corpus([path], str(tmp_path / "out"))
        write_jsonl(tmp_path / "rows.jsonl", rows)
        assert make_corpus([path], str(tmp_path / "out")).rows == 200

    def test_one_label_is_refused(self, tmp_path):
        inputs = [write_jsonl(tmp_path / "rows.jsonl", [{"text": "a", "label": "b"}])]
        with pytest.raises(DataError, match="two labels or more"):
            make_corpus(inputs, str(tmp_path / "out"))

    def test_a_missing_column_is_named(self, files, tmp_path):
        with pytest.raises(DataError, match=r"a\.parquet.*body"):
            make_corpus(
                [str(files)], str(tmp_path / "o"), source=TextSource("", text_column="body")
            )
        assert not (tmp_path / "o").exists()

    def test_another_corpus_is_kept_unless_asked(self, files, corpus, logged):
        folder, _ = corpus
        before = read_content(folder)
        with pytest.raises(OutputError, match="the options changed"):
            make_corpus([str(files)], str(folder), CorpusOptions(seed=3))
        make_corpus([str(files)], str(folder), SMALL_PARTS)
        assert logged[-1:] == [f"{folder} is complete already"]
        assert read_content(folder) == before

    @pytest.mark.parametrize("share", [-0.1, 0.6])
    def test_a_share_out_of_range_is_refused(self, share):
        with pytest.raises(OptionsError, match="dev_share"):
            CorpusOptions(dev_share=share)


class TestTraining:
    """glovelite-train takes the parts and the counts."""

    def test_the_counts_are_those_of_the_training_text(self, corpus):
        train = read_inputs([TextSource(str(corpus[0]))]).train
        counted = read_counts(corpus[0], train.hashes, Tokenizer())
        counts, lengths = count_tokens(train.texts, Tokenizer())
        assert counted is not None
        assert counted[0] == counts
        assert np.array_equal(np.sort(counted[1]), np.sort(lengths))

    def test_counts_of_other_text_or_tokens_are_not_taken(self, corpus):
        train = read_inputs([TextSource(str(corpus[0]))]).train
        assert read_counts(corpus[0], train.hashes, Tokenizer(punctuation=True)) is None
        assert read_counts(corpus[0], train.hashes[:-1], Tokenizer()) is None
        assert read_counts(Path(corpus[0], "train"), train.hashes, Tokenizer()) is None

    def test_the_text_columns_are_those_of_the_input(self, tmp_path):
        rows = [
            {"subject": f"s {n}", "body": f"<p>b {n}</p>", "label": "ab"[n % 2]} for n in range(40)
        ]
        path = write_jsonl(tmp_path / "mails.jsonl", rows)
        source = TextSource("", text_column=("subject", "body"), strip_html=True)
        make_corpus([path], str(tmp_path / "out"), source=source)
        inputs = read_inputs([TextSource(str(tmp_path / "out"))])
        assert inputs.text == TrainedText(("subject", "body"), strip_html=True)
        assert set(inputs.train.texts) <= {f"s {n}\nb {n}" for n in range(40)}

    def test_a_run_has_the_parts_of_the_folder(self, corpus, tmp_path):
        folder, summary = corpus
        done = run(
            sys.executable, "-m", "glovelite.train", folder, "--out", tmp_path / "run",
            "--glove", SLICE, "--preset", "tiny", "--epochs", "1", cwd=ROOT,
        )  # fmt: skip
        assert f"words counted by glovelite-corpus: {summary.distinct_tokens:,}" in done.stdout
        metrics = read_json(tmp_path / "run/metrics.json")
        assert metrics["corpus"]["texts"] == sum(summary.texts.values())
        assert metrics["corpus"]["duplicates"] == 0
