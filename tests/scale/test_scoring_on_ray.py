"""Bulk scoring on a local Ray cluster of two nodes: every row once, whatever dies.

`make test-scale` runs it in an environment with the extra `scale`.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import GLOSSES, LEGACY_BUNDLE, ROOT, read_json, run, write_user_modules

pytest.importorskip("ray", reason="needs the extra scale: run `make test-scale`")

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from glovelite import Classifier, DataError, OutputError
from glovelite.runtime.errors import ClusterError
from glovelite.runtime.files.columns import ColumnNames
from glovelite.runtime.trained_text import TrainedText
from glovelite.scale.files import Location, list_inputs, locate
from glovelite.scale.parts import divide, read_part
from glovelite.scale.scoring.job import BulkOptions, score_files
from glovelite.scale.scoring.worker import Work, score_part
from glovelite.scale.tables import make_column

TEXTS = [row["text"] for row in csv.DictReader(GLOSSES.open(encoding="utf-8", newline=""))]
ROWS, ROWS_PER_FILE = 6_000, 500
WORKER = "MapWorker"  # how Ray names the processes of its classifiers
TIMEOUT = 120


@pytest.fixture(scope="module")
def classifier():
    return Classifier.load(LEGACY_BUNDLE)


@pytest.fixture
def table(tmp_path):
    """A Parquet file of one row group."""
    path = tmp_path / "texts.parquet"
    texts = [f"{TEXTS[number % len(TEXTS)]} {number}" for number in range(ROWS)]
    pq.write_table(pa.table({"id": range(ROWS), "text": texts}), path)
    return path


def read_rows(folder):
    """Return the rows of all output files, in the order of their names."""
    paths = sorted(folder.glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def start(classifier, source, out, **options):
    """Score in a thread of its own; return the thread and the list that receives its result."""
    results = []

    def run():
        results.append(
            score_files(classifier, [str(source)], str(out), options=BulkOptions(**options))
        )

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def find_workers():
    """Return the processes of the classifiers at work."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if WORKER in str(process.info["cmdline"])
    ]


class TestParts:
    """A part is a range of one file; all together have every row once."""

    @given(
        rows=st.integers(0, 300), group=st.integers(1, 120), size=st.integers(1, 150),
    )  # fmt: skip
    def test_parquet_is_divided_by_rows(self, tmp_path_factory, rows, group, size):
        path = tmp_path_factory.mktemp("parts") / "a.parquet"
        pq.write_table(
            pa.table({"text": [f"t{n}" for n in range(rows)]}), path, row_group_size=group
        )
        parts = divide(list_inputs([str(path)]), size)
        found = [
            text
            for part in parts
            for batch in read_part(part, ColumnNames(), None, str)
            for text in batch.texts
        ]
        assert found == [f"t{n}" for n in range(rows)]
        assert all(part.end - part.start <= size for part in parts)

    @given(lengths=st.lists(st.integers(0, 700), max_size=60), size=st.integers(1, 5))
    def test_jsonl_is_divided_at_line_ends(self, tmp_path_factory, lengths, size):
        path = tmp_path_factory.mktemp("parts") / "a.jsonl"
        texts = [f"{number} {'x' * length}" for number, length in enumerate(lengths)]
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
        parts = divide(list_inputs([str(path)]), size)
        found = [
            text
            for part in parts
            for batch in read_part(part, ColumnNames(), None, str)
            for text in batch.texts
        ]
        assert found == [text.strip() for text in texts]

    def test_a_folder_is_listed_with_the_paths_below_it(self, tmp_path):
        for name in ("b/x.csv", "a.jsonl", "_skip.csv", ".hidden.csv", "readme.txt"):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("text\na\n", "utf-8")
        assert [file.key for file in list_inputs([str(tmp_path)])] == ["a.jsonl", "b/x.csv"]
        assert [file.key for file in list_inputs([f"{tmp_path}/*.jsonl"])] == ["a.jsonl"]
        with pytest.raises(DataError, match="does not exist"):
            list_inputs([str(tmp_path / "none")])

    def test_links_to_folders_are_not_followed(self, tmp_path):
        (tmp_path / "a.jsonl").write_text('{"text": "a"}\n', "utf-8")
        for name in ("one", "two"):
            (tmp_path / name).symlink_to(".")
        assert [file.key for file in list_inputs([str(tmp_path)])] == ["a.jsonl"]

    def test_a_name_that_is_not_utf8_is_an_error(self, tmp_path):
        (tmp_path / "caf\udce9.csv").touch()
        for name in (tmp_path, tmp_path / "caf\udce9.csv"):
            with pytest.raises(DataError):
                list_inputs([str(name)])

    def test_a_file_that_changes_meanwhile_is_an_error(self, tmp_path):
        path = tmp_path / "a.jsonl"
        path.write_text('{"text": "a"}\n', "utf-8")
        (part,) = divide(list_inputs([str(path)]), 10)
        batches = read_part(part, ColumnNames(), None, str)
        assert next(batches).texts == ["a"]
        path.write_text('{"text": "other"}\n', "utf-8")
        with pytest.raises(DataError, match=r"a\.jsonl has changed since the job began"):
            next(batches)

    def test_an_output_that_fails_does_not_exist(self, tmp_path):
        location = Location(
            list_inputs([str(GLOSSES)])[0].location.system, str(tmp_path / "a"), "a"
        )
        with pytest.raises(TypeError), location.open_atomic() as file:
            file.write(3.5)
        assert not (tmp_path / "a").exists()


@pytest.fixture
def score_one(classifier, tmp_path):
    """A function that scores one part here; it returns what was written and the bad rows."""

    def score(path, form="parquet", rows=1000, number=0):
        parts = divide(list_inputs([str(path)]), rows)
        out = tmp_path / "out"
        work = Work(classifier, tuple(parts), locate(str(out)), BulkOptions(form))
        out.mkdir(exist_ok=True)
        score_part(work, parts[number])
        names = work.added.schema.names
        rows = read_rows(out) if form == "parquet" else read_objects(out)
        bad = [read_json(path) for path in out.glob("bad_rows/*")]
        return [{key: row[key] for key in row if key not in names} for row in rows], bad

    return score


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_texts_are_read_as_in_the_training_of_the_bundle(tmp_path, form):
    bundle = shutil.copytree(LEGACY_BUNDLE, tmp_path / "bundle")
    manifest = read_json(bundle / "manifest.json")
    manifest["text"] = TrainedText(("subject", "body"), strip_html=True).as_json()
    (bundle / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    mail = {"body": "<p>with a trunk</p>", "text": "a bird", "subject": "a tall tree"}
    path = tmp_path / f"mails.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist([mail]), path)
    else:
        path.write_text(json.dumps(mail), "utf-8")
    parts = divide(list_inputs([str(path)]), 10)
    with Classifier.load(bundle) as classifier:
        work = Work(classifier, tuple(parts), locate(str(tmp_path)), BulkOptions())
        (batch,) = work.read(parts[0])
    assert batch.texts == ["a tall tree\nwith a trunk"]


def read_objects(folder):
    """Return the objects of all JSONL files."""
    return [json.loads(line) for path in folder.glob("*.jsonl") for line in path.open("rb")]


def write_undecodable(path):
    """Write a Parquet file whose texts are "a bird", two bytes that are not UTF-8, and "a dog"."""
    content, ends = b"a bird\xff\xfea dog", [0, 6, 8, 13]
    offsets = b"".join(end.to_bytes(4, "little") for end in ends)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    pq.write_table(pa.table({"text": pa.Array.from_buffers(pa.string(), 3, buffers)}), path)
    return path


class TestValuesThatParquetCannotHold:
    """They become JSON text; a row that cannot be written is listed with the cause."""

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([{}, None], ["{}", None]),
            ([[{}], [1]], ["[{}]", "[1]"]),
            ([{"a": {}}], ['{"a": {}}']),
            ([2**64 - 1, 1], ["18446744073709551615", "1"]),
            ([-(2**63) - 1], ["-9223372036854775809"]),
            ([True, 1], ["true", "1"]),
            (["ok", "\ud83d!", None], ["ok", '"\\ud83d!"', None]),
            ([{"a": "\udc4d"}], ['{"a": "\\udc4d"}']),
            ([1, None], [1, None]),
            ([{"a": 1}, {"b": [2]}], [{"a": 1, "b": None}, {"a": None, "b": [2]}]),
        ],
    )
    def test_a_column_of_objects(self, values, expected):
        assert make_column(values).to_pylist() == expected

    def test_a_value_of_many_levels(self):
        deep = json.loads("[" * 300 + "]" * 300)
        assert make_column([deep]).to_pylist() == [json.dumps(deep)]

    @pytest.mark.parametrize("form", ["parquet", "jsonl"])
    def test_rows_of_jsonl(self, score_one, tmp_path, form):
        objects = [
            {"text": "a bird", "meta": {}, "id": 2**64 - 1, "half \ud83d": 1},
            {"text": "a dog \ud83d", "meta": {}, "id": 1, "half \ud83d": 2},
        ]
        lines = [*map(json.dumps, objects), '{"text": "a rose", "note": "\\udc80"}']
        (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        rows, bad = score_one(tmp_path / "a.jsonl", form)
        if form == "jsonl":
            assert rows == objects
        else:
            assert rows == [
                {"text": "a bird", "meta": "{}", "id": str(2**64 - 1), "half \\ud83d": 1},
                {"text": '"a dog \\ud83d"', "meta": "{}", "id": "1", "half \\ud83d": 2},
            ]
        assert [(row["line"], row["reason"]) for row in bad] == [
            (3, "'note': byte 0x80 cannot be decoded")
        ]

    def test_json_has_no_nan_at_any_depth(self, score_one, tmp_path):
        (tmp_path / "a.jsonl").write_text('{"text": "a", "x": [{"y": NaN}]}\n', "utf-8")
        assert score_one(tmp_path / "a.jsonl", "jsonl") == ([{"text": "a", "x": [{"y": None}]}], [])

    @pytest.mark.parametrize("form", ["parquet", "jsonl"])
    def test_strings_of_parquet_that_are_not_utf_8(self, score_one, tmp_path, form):
        rows, bad = score_one(write_undecodable(tmp_path / "a.parquet"), form)
        assert [row["text"] for row in rows] == ["a bird", "a dog"]
        assert [row["line"] for row in bad] == [2]
        assert "can't decode byte 0xff" in bad[0]["reason"]

    def test_a_value_of_parquet_that_json_cannot_hold(self, score_one, tmp_path):
        times = pa.array([1, 2**62], pa.timestamp("us"))
        pq.write_table(pa.table({"text": ["a", "b"], "time": times}), tmp_path / "a.parquet")
        rows, bad = score_one(tmp_path / "a.parquet", "jsonl")
        assert [row["text"] for row in rows] == ["a"]
        assert [row["line"] for row in bad] == [2]


class TestMessages:
    """Every failure names file, row and cause."""

    def test_a_field_of_an_added_name(self, score_one, tmp_path):
        lines = [json.dumps({"text": f"text {number}"}) for number in range(99)]
        lines.append('{"text": "a", "known": 1}')
        (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        with pytest.raises(DataError, match=r"a\.jsonl, line 100 already has a column \"known\""):
            score_one(tmp_path / "a.jsonl")
        with pytest.raises(DataError, match=r"a\.jsonl, line \d+ after byte [\d,]+ already has"):
            score_one(tmp_path / "a.jsonl", rows=5, number=-1)

    def test_an_error_that_nothing_expects(self, score_one, tmp_path, classifier, monkeypatch):
        (tmp_path / "a.csv").write_text("text\na\nb\n", "utf-8")
        monkeypatch.setattr(classifier, "predict", lambda _: 1 // 0)
        with pytest.raises(DataError, match=r"a\.csv, lines 2 to 3 cannot be scored: ZeroDivision"):
            score_one(tmp_path / "a.csv")


@pytest.mark.usefixtures("cluster")
class TestScores:
    """The output has the input's columns and what `Classifier.predict` returns."""

    def test_parquet(self, classifier, table, tmp_path):
        done = score_files(
            classifier,
            [str(table)],
            str(tmp_path / "out"),
            BulkOptions(rows_per_file=ROWS_PER_FILE),
        )
        assert (done.parts, done.rows, done.bad) == (ROWS // ROWS_PER_FILE, ROWS, 0)
        rows = read_rows(tmp_path / "out")
        assert [row["id"] for row in rows] == list(range(ROWS))
        for row, prediction in zip(rows, classifier.predict(row["text"] for row in rows)):
            assert row["predicted_label"] == prediction.label
            assert row["probabilities"] == pytest.approx(prediction.probabilities, abs=1e-6)
            assert row["abstained"] == prediction.abstained
            assert row["known"] == pytest.approx(prediction.known, abs=1e-6)

    @pytest.mark.parametrize("form", ["parquet", "jsonl"])
    def test_csv_and_jsonl_with_rows_that_cannot_be_used(self, classifier, tmp_path, form):
        source = tmp_path / "in"
        source.mkdir()
        (source / "a.csv").write_text("id,text\n1,a tree\n2\n3,a dog\n", "utf-8")
        lines = ['{"id": 4, "text": "a bird"}', "not JSON", '{"id": "five", "text": "a rose"}']
        (source / "b.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        out = tmp_path / "out"
        done = score_files(classifier, [str(source)], str(out), BulkOptions(form))
        assert (done.rows, done.bad) == (4, 2)
        if form == "jsonl":
            paths = sorted(out.glob("*.jsonl"))
            rows = [json.loads(line) for path in paths for line in path.open(encoding="utf-8")]
            assert [row["id"] for row in rows] == ["1", "3", 4, "five"]
        else:
            assert [row["id"] for row in read_rows(out)] == ["1", "3", "4", '"five"']
        bad = [read_json(path) for path in sorted(out.glob("bad_rows/*"))]
        assert [(row["file"], row["line"]) for row in bad] == [("a.csv", 3), ("b.jsonl", 2)]
        assert "not JSON" in bad[1]["reason"]

    def test_files_of_one_name_and_uris(self, classifier, tmp_path):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            columns = {"text": [f"a tree {name}"], "value": [float("nan")]}
            pq.write_table(pa.table(columns), tmp_path / name / "x.parquet")
        inputs = [f"file://{tmp_path}/{name}" for name in ("a", "b")]
        score_files(classifier, inputs, f"file://{tmp_path}/out", BulkOptions("jsonl"))
        lines = [path.read_text("utf-8") for path in sorted((tmp_path / "out").glob("*.jsonl"))]
        rows = [json.loads(line) for line in lines]
        assert [(row["text"], row["value"]) for row in rows] == [
            ("a tree a", None),
            ("a tree b", None),
        ]

    def test_an_address_of_rays_client_is_refused_with_the_way_out(self):
        with pytest.raises(ClusterError, match="ray job submit"):
            BulkOptions(address="ray://head:10001")

    def test_an_output_that_holds_an_input_is_refused(self, classifier, table):
        with pytest.raises(OutputError, match="holds the input"):
            score_files(classifier, [str(table)], str(table.parent))

    def test_a_column_that_is_missing_ends_the_job_at_once(self, classifier, table, tmp_path):
        with pytest.raises(DataError, match="body"):
            score_files(
                classifier, [str(table)], str(tmp_path / "o"), BulkOptions(text_columns=("body",))
            )
        assert not (tmp_path / "o").exists()

    def test_a_column_of_an_added_name_is_named(self, classifier, tmp_path):
        pq.write_table(pa.table({"text": ["a"], "known": [1]}), tmp_path / "a.parquet")
        with pytest.raises(DataError, match='already has a column "known"'):
            score_files(classifier, [str(tmp_path / "a.parquet")], str(tmp_path / "out"))

    def test_results_of_another_job_are_kept(self, classifier, table, tmp_path):
        out = str(tmp_path / "out")
        score_files(classifier, [str(table)], out)
        with pytest.raises(OutputError, match="the options changed"):
            score_files(classifier, [str(table)], out, BulkOptions("jsonl"))
        score_files(classifier, [str(table)], out, BulkOptions("jsonl", overwrite=True))
        assert not list(Path(out).glob("*.parquet"))
        for path in Path(out).glob("*.jsonl"):
            path.unlink()
        score_files(classifier, [str(table)], out)  # nothing is lost
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "notes.txt").write_text("mine", "utf-8")
        with pytest.raises(OutputError, match="is not empty"):
            score_files(classifier, [str(table)], str(tmp_path / "other"))


class TestFailures:
    """No row is lost and none is written twice."""

    @pytest.mark.usefixtures("cluster")
    @pytest.mark.parametrize("after", [0, 2, 6], ids="after {} files".format)
    def test_a_worker_is_killed(self, classifier, table, tmp_path, wait_for, after):
        out = tmp_path / "out"
        thread, results = start(classifier, table, out, rows_per_file=ROWS_PER_FILE)
        wait_for(lambda: find_workers() and len(list(out.glob("*.parquet"))) >= after)
        for worker in find_workers()[:1]:
            worker.kill()
        thread.join(TIMEOUT)
        assert results
        assert [row["id"] for row in read_rows(out)] == list(range(ROWS))

    def test_the_driver_is_killed_and_started_again(self, table, tmp_path, wait_for):
        out = tmp_path / "out"
        command = [
            sys.executable, "-m", "glovelite.scale.scoring.cli", table, out,
            "--bundle", LEGACY_BUNDLE, "--rows-per-file", str(ROWS_PER_FILE),
            "--workers", "1", "--json",
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        environment.pop("RAY_ADDRESS", None)
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as driver:
            wait_for(lambda: len(list(out.glob("*.parquet"))) >= 2)
            driver.send_signal(signal.SIGKILL)
        time.sleep(2)  # Ray's processes notice that their driver is gone
        before = {path: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
        assert len(before) < ROWS // ROWS_PER_FILE
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert "continuing" in done.stderr
        assert json.loads(done.stdout)["rows"] == ROWS - ROWS_PER_FILE * len(before)
        assert all(path.stat().st_mtime_ns == time_ for path, time_ in before.items())
        assert [row["id"] for row in read_rows(out)] == list(range(ROWS))

    def test_a_node_leaves(self, cluster, classifier, table, tmp_path, wait_for):
        out = tmp_path / "out"
        node = cluster.add_node(num_cpus=1)
        thread, results = start(classifier, table, out, rows_per_file=ROWS_PER_FILE)
        wait_for(lambda: len(list(out.glob("*.parquet"))) >= 2)
        cluster.remove_node(node, allow_graceful=False)
        thread.join(TIMEOUT)
        assert results
        assert [row["id"] for row in read_rows(out)] == list(range(ROWS))


def test_workers_ignore_modules_of_the_user(tmp_path):
    write_user_modules(tmp_path)
    lines = [json.dumps({"text": f"a small bird {n}", "label": "ab"[n % 2]}) for n in range(60)]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    python = (sys.executable, "-m")
    scoring = ("glovelite.scale.scoring.cli", "texts.jsonl", "scored", "--bundle", LEGACY_BUNDLE)
    done = run(*python, *scoring, "--workers", "1", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["rows"] == 60
    corpora = ("glovelite.scale.corpora.cli", "texts.jsonl", "corpus", "--address", "local")
    done = run(*python, *corpora, "--workers", "1", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["rows"] == 60
