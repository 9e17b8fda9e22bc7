"""glovelite-run --input: the rows of a file, classified into another file."""

import csv
import gzip
import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from glovelite import Classifier, DataError
from glovelite.runtime.scoring.score import ScoringOptions, score_file
from tests.helpers import GLOSSES, classify, read_json, run
from tests.runtime.test_bundle import update_manifest

ADDED = ["predicted_label", "probability", "abstained"]
ROWS = [["7", "a tall tree", "x, y"], ["8", "", 'a "quoted"\r\nfield'], ["9", "zxqv wvut", ""]]
TIMEOUT = 120  # seconds until a test gives up; no test asserts how long anything takes


def write_csv(path, rows=ROWS, header=("id", "text", "note")):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read_csv(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def leftovers(folder):
    """Return the names of what is not complete, and of locks."""
    return {path.name for path in folder.iterdir() if re.search(r"\.partial|\.lock", path.name)}


def without_columns(errors):
    """Return what was printed, without the line that names the columns."""
    return re.sub(r"^.*: text: .*\n", "", errors, flags=re.M)


@pytest.fixture
def score(command):
    """A function that scores a file and returns what the command printed."""

    def call(source, target, *options, check=True):
        return command("--input", source, "--output", target, *options, check=check)

    return call


@pytest.fixture
def refused(score):
    """A function that expects an error of one line and returns it."""

    def call(source, target, *options):
        done = score(source, target, *options, check=False)
        errors = without_columns(done.stderr)
        assert (done.returncode, done.stdout, errors.count("\n")) == (1, "", 1), done.stderr
        return errors

    return call


def test_all_columns_are_kept_and_three_added(score, bundle, tmp_path):
    target = tmp_path / "new" / "scored.csv"
    score(write_csv(tmp_path / "mails.csv"), target)
    header, *rows = read_csv(target)
    assert header == ["id", "text", "note", *ADDED]
    assert [row[:3] for row in rows] == ROWS
    predictions = Classifier.load(bundle).predict(row[1] for row in ROWS)
    expected = [
        [
            prediction.label,
            f"{prediction.probability:.6f}".rstrip("0"),
            str(prediction.abstained).lower(),
        ]
        for prediction in predictions
    ]
    assert [row[3:] for row in rows] == expected
    assert leftovers(target.parent) == set()


@pytest.mark.parametrize("change", [write_csv, Path.unlink])
def test_an_input_that_changes_meanwhile_has_no_output(bundle, tmp_path, change):
    source = write_csv(tmp_path / "mails.csv", ROWS * 2)
    options = ScoringOptions(source, tmp_path / "scored.csv")
    with Classifier.load(bundle) as classifier, pytest.raises(DataError, match="changed while it"):
        score_file(classifier, options, lambda _: change(source))
    assert {path.name for path in tmp_path.iterdir()} <= {"mails.csv"}


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz", "s.tsv", "s.jsonl", "s.jsonl.gz"])
def test_the_extension_of_the_output_chooses_its_format(score, tmp_path, name):
    target = tmp_path / name
    source = write_csv(tmp_path / "in.csv", [["1", "a tall tree", "é"]])
    score(source, target)
    text = target.read_bytes()
    text = (gzip.decompress(text) if name.endswith(".gz") else text).decode()
    if "jsonl" in name:
        row = json.loads(text)
    else:
        lines = [line.split("\t" if "tsv" in name else ",") for line in text.splitlines()]
        row = dict(zip(*lines))
    assert list(row) == ["id", "text", "note", *ADDED]
    assert (row["note"], row["predicted_label"]) == ("é", "plant")


@pytest.mark.parametrize("packed", [False, True])
def test_formats_that_are_read(score, tmp_path, packed):
    objects = [
        {"text": "a tall tree", "n": [1, {"a": None}], "x": 0.1},
        {"x": "\ud800", "text": ""},
    ]
    contents = {
        "a.jsonl": "".join(json.dumps(value) + "\n" for value in objects),
        "a.tsv": "text\tn\na tall tree\t1\n",
        "a.csv": "n;text\n1;a tall tree\n2;a bird\n",
    }
    for name, content in contents.items():
        source = tmp_path / (name + ".gz" * packed)
        source.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
        target = tmp_path / f"scored-{name}"
        score(source, target)
        assert "plant" in target.read_text("utf-8").splitlines()["jsonl" not in name]
    rows = [json.loads(line) for line in (tmp_path / "scored-a.jsonl").read_text().splitlines()]
    assert [{key: row[key] for key in row if key not in ADDED} for row in rows] == objects


def test_several_text_columns_are_joined_by_a_newline(score, bundle, tmp_path):
    source = write_csv(tmp_path / "a.csv", [["a tall", "tree", "x"]], ("subject", "body", "id"))
    score(source, tmp_path / "s.csv", "--text-column", "subject", "--text-column", "body")
    (prediction,) = Classifier.load(bundle).predict("a tall\ntree")
    assert float(read_csv(tmp_path / "s.csv")[1][4]) == round(prediction.probability, 6)


def test_a_table_without_header_stays_without(score, tmp_path):
    (tmp_path / "a.csv").write_text("1,a tall tree\n2,a small bird\n")
    done = score(tmp_path / "a.csv", tmp_path / "s.csv", "--text-column", "2")
    assert [row[2] for row in read_csv(tmp_path / "s.csv")] == ["plant", "animal"]
    assert "no header found, so the first row is data" in done.stderr


@pytest.mark.parametrize("content", ["", "id,text\n"])
def test_no_rows_give_no_rows(score, tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    assert "0 rows" in score(tmp_path / "a.csv", tmp_path / "s.csv").stdout
    assert read_csv(tmp_path / "s.csv") == ([["id", "text", *ADDED]] if content else [])


def test_json_prints_a_summary(score, tmp_path):
    source = write_csv(tmp_path / "a.csv")
    summary = json.loads(score(source, tmp_path / "s.csv", "--json").stdout)
    assert sum(summary["labels"].values()) == summary["rows"] == 3
    assert summary["abstained"] >= 2
    assert summary["seconds"] >= 0
    assert (summary["skipped"], summary["output"]) == (0, str(tmp_path / "s.csv"))
    assert summary["without_labels"] == 0


def test_abstain_leaves_the_label_empty(score, tmp_path):
    source = write_csv(tmp_path / "a.csv")
    score(source, tmp_path / "s.csv", "--abstain-below", "1")
    assert [row[3::2] for row in read_csv(tmp_path / "s.csv")[1:]] == [["", "true"]] * 3
    score(source, tmp_path / "s.jsonl", "--abstain")
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert (rows[2]["predicted_label"], rows[2]["abstained"]) == (None, True)


def test_a_bundle_that_relies_on_nothing_says_so(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    update_manifest(copy, abstention={"probability": 1.0, "accuracy": None, "wanted": 0.95})
    source = write_csv(tmp_path / "a.csv")
    options = ("--input", source, "--output", tmp_path / "s.csv")
    done = classify(copy, *options)
    assert "abstains from every text: export it with a lower --abstain-accuracy" in done.stderr
    assert "3 abstained" in done.stdout
    done = classify(copy, *options, "--overwrite", "--abstain-below", 0)
    assert "abstains" not in done.stderr


@pytest.mark.parametrize("name", ADDED)
def test_a_column_is_never_replaced(score, refused, tmp_path, name):
    source = write_csv(tmp_path / "a.csv", [["1", "a tree", "mine"]], ("id", "text", name))
    message = refused(source, tmp_path / "s.csv")
    assert f'a.csv already has a column "{name}"' in message
    assert "--prefix new_" in message
    score(source, tmp_path / "s.csv", "--prefix", "new_")
    header, row = read_csv(tmp_path / "s.csv")
    assert header == ["id", "text", name, *[f"new_{column}" for column in ADDED]]
    assert row[2] == "mine"


def test_a_field_is_never_replaced(score, refused, tmp_path):
    source, target = tmp_path / "a.jsonl", tmp_path / "s.jsonl"
    source.write_text('{"text": "a tree"}\n{"text": "a tree", "abstained": "mine"}\n')
    message = refused(source, target, "--skip-bad-lines")
    assert 'line 2 already has a field "abstained"' in message
    score(source, target, "--prefix", "p.")
    assert json.loads(target.read_text().splitlines()[1])["abstained"] == "mine"


def test_an_existing_output_is_kept_unless_overwrite_is_given(score, refused, tmp_path):
    source, target = write_csv(tmp_path / "a.csv"), tmp_path / "s.csv"
    target.write_text("mine")
    assert "s.csv exists: choose another output, or --overwrite it" in refused(source, target)
    assert target.read_text() == "mine"
    score(source, target, "--overwrite")
    assert len(read_csv(target)) == 4


def test_outputs_that_are_never_replaced(refused, tmp_path):
    source = write_csv(tmp_path / "a.csv")
    assert "is the input" in refused(source, source, "--overwrite")
    (tmp_path / "b.csv").symlink_to(source)
    assert "is the input" in refused(source, tmp_path / "b.csv", "--overwrite")
    (tmp_path / "c.csv").mkdir()
    assert "not a regular file" in refused(source, tmp_path / "c.csv", "--overwrite")
    (tmp_path / "d.csv.partial").write_text("mine")
    assert "is not glovelite's" in refused(source, tmp_path / "d.csv")
    assert (tmp_path / "d.csv.partial").read_text() == "mine"


# Parameters name tests: the same bytes in each worker, so no time in the header.
CUT_GZIP = gzip.compress(b"text\n" + bytes(range(99)), mtime=0)[:60]


@pytest.mark.parametrize(
    ("source", "content", "target", "message"),
    [
        ("none.csv", None, "s.csv", "none.csv cannot be read: No such file"),
        ("a.csv", b"text\na\n", "s.txt", "ends in .csv, .tsv or .jsonl"),
        ("a.csv", b"id,mail\n1,a tree\n", "s.csv", "--text-column"),
        ("a.csv", b"1,a tree,b\n2,a tree,c\n", "s.jsonl", "cannot find text"),
        ("a.csv", b"text,text\na,b\n", "s.jsonl", "two columns of one name"),
        ("a.jsonl", b'{"text": "a"}\n', "s.csv", "write .jsonl"),
        (
            "a.jsonl",
            b'{"text": "a"}\n{"text": null}\n',
            "s.jsonl",
            "line 2: 'text' is not a string",
        ),
        ("a.jsonl", b'{"text": "a"}\n{"text": "b", "x": NaN}\n', "s.jsonl", "line 2: NaN"),
        ("a.jsonl", b'{"text": "a"}\n[]\n', "s.jsonl", "line 2: not a JSON object"),
        ("a.csv", b"text,id\na,1\nb\n", "s.csv", "line 3: expected 2 fields, found 1"),
        ("a.csv", b'text,id\n"a\tb",1\n', "s.tsv", "line 2: TSV has no tabs"),
        ("a.csv", b'text,id\na,1\n"b,2\n', "s.csv", "quote opened in line 3 is never closed"),
        (
            "a.csv",
            b'text,id\n"b,2\n' + (b"a" * 999 + b",1\n") * 17_000,
            "s.csv",
            "line 2: expected at most",
        ),
        ("a.jsonl", b'{"text": "' + b"a " * 10_000_000, "s.jsonl", "line 1: expected at most"),
        ("a.csv", b"\x89PNG\0\0", "s.csv", "is not text"),
        ("a.csv.gz", CUT_GZIP, "s.csv", "is damaged"),
        ("a.csv.gz", b"\x1f\x8bnot gzip", "s.csv", "is damaged"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_input_that_cannot_be_used_is_a_one_line_error(
    refused, tmp_path, source, content, target, message
):
    if content is not None:
        (tmp_path / source).write_bytes(content)
    assert message in refused(tmp_path / source, tmp_path / target)
    assert not (tmp_path / target).exists()


def test_bad_rows_are_skipped_on_request(score, refused, tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "s.csv"
    source.write_bytes("id,text\n1,a tree\n2\n3,é\n4,caf".encode() + b"\xe9\n5,a bird\n")
    message = refused(source, target)
    assert "a.csv, line 3: expected 2 fields" in message
    assert "--skip-bad-lines" in message
    done = score(source, target, "--skip-bad-lines")  # continues after row 1
    assert [row[0] for row in read_csv(target)[1:]] == ["1", "3", "5"]
    assert "continuing an interrupted run: rows done so far: 1" in done.stderr
    assert "line 3: expected 2 fields, found 1: skipped" in done.stderr
    assert "line 5: byte 0xe9 cannot be decoded: skipped" in done.stderr
    assert "2 skipped" in done.stdout


def test_no_row_that_can_be_classified_is_an_error(score, tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "s.csv"
    source.write_bytes(b"id,text\n1\n2\n")
    done = score(source, target, "--skip-bad-lines", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "a.csv: none of its 2 rows can be classified: fix" in done.stderr.splitlines()[-1]
    assert not target.exists()
    assert not leftovers(tmp_path)


def test_another_encoding_is_named(score, tmp_path):
    source = tmp_path / "a.csv"
    source.write_bytes("id,text\n1,ein schöner Baum\n".encode("cp1252"))
    score(source, tmp_path / "s.csv", "--encoding", "cp1252")
    assert read_csv(tmp_path / "s.csv")[1][1] == "ein schöner Baum"


@pytest.mark.parametrize(
    "options",
    [
        ("--input", "a.csv"),
        ("--output", "a.csv"),
        ("--overwrite",),
        ("--text-column", "a", "some text"),
        ("--input", "a.csv", "--output", "b.csv", "a text"),
        ("--input", "a.csv", "--output", "b.csv", "--jsonl"),
        ("--input", "a.csv", "--output", "b.csv", "--self-test"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(command, options):
    done = command(*options, check=False)
    assert done.returncode == 2
    assert "--input" in done.stderr.splitlines()[-1]


LARGE = 15_000  # rows that take more than a second
#: The command, which commits more often.
COMMIT_OFTEN = """
import glovelite.runtime.scoring.score
from glovelite.runtime.cli.main import main
glovelite.runtime.scoring.score.COMMIT_SECONDS = 0.05
main()
"""


def write_texts(path, count):
    """Write a table of numbered texts."""
    texts = [row[0] for row in read_csv(GLOSSES)[1:]]
    rows = ((str(number), texts[number % len(texts)]) for number in range(count))
    return write_csv(path, rows, ("id", "text"))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return write_texts(tmp_path_factory.mktemp("large") / "large.csv", LARGE)


@pytest.fixture
def interrupt(device_python, bundle, large):
    """A function that starts to score the large file and stops the command with a signal."""

    def call(target, how, source=large):
        command = [device_python, "-c", COMMIT_OFTEN, bundle, "--input", source, "--output", target]
        state = target.with_name(f"{target.name}.partial.json")
        deadline = time.monotonic() + TIMEOUT
        with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
            while not state.exists() or not read_json(state):  # nothing committed
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(how)
            _, errors = process.communicate(timeout=TIMEOUT)
        assert not target.exists()
        return process.returncode, without_columns(errors)

    return call


@pytest.mark.parametrize("name", ["s.csv", pytest.param("s.csv.gz", marks=pytest.mark.slow)])
def test_a_killed_run_is_continued(interrupt, score, large, tmp_path, name):
    target = tmp_path / name
    assert interrupt(target, signal.SIGKILL) == (-signal.SIGKILL, "")
    with (tmp_path / f"{name}.partial").open("ab") as file:
        file.write(b'7,"half a row')
    done = score(large, target, "--json")
    assert "continuing an interrupted run" in done.stderr
    rows = read_csv(target)[1:]
    assert [int(row[0]) for row in rows] == list(range(LARGE))
    assert {len(row) for row in rows} == {5}
    summary = json.loads(done.stdout)
    assert sum(summary["labels"].values()) == summary["rows"] == LARGE
    assert summary["abstained"] == sum(row[4] == "true" for row in rows)
    assert leftovers(tmp_path) == set()


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on(interrupt, tmp_path, how, status):
    returned, errors = interrupt(tmp_path / "s.csv", how)
    assert returned == status
    assert errors == (
        "glovelite-run: interrupted: the same command continues where this one stopped\n"
    )


@pytest.mark.slow
def test_partial_output_of_another_input_or_bundle_is_not_continued(
    interrupt, score, binary_bundle, large, tmp_path
):
    source, target = tmp_path / "a.csv", tmp_path / "s.csv"
    source.write_bytes(large.read_bytes())
    interrupt(target, signal.SIGKILL, source)
    write_csv(source)
    assert "(the input changed): starting again" in score(source, target).stderr
    assert len(read_csv(target)) == 4
    other = tmp_path / "t.csv"
    interrupt(other, signal.SIGKILL)
    (tmp_path / "small.csv").write_text("text\na tree\n")
    done = classify(binary_bundle, "--input", tmp_path / "small.csv", "--output", other)
    assert "(the input and the bundle changed): starting again" in done.stderr
    assert len(read_csv(other)) == 2


def test_a_disk_that_refuses_is_a_one_line_error(device_python, bundle, score, large, tmp_path):
    target = tmp_path / "s.csv"
    command = f"{device_python} -m glovelite.runtime {bundle} --input {large} --output {target}"
    done = run("bash", "-c", f"ulimit -f 300; exec {command}", check=False)
    assert (done.returncode, without_columns(done.stderr).count("\n")) == (1, 1)
    assert f"{target} not written: File too large" in done.stderr
    score(large, target)
    assert len(read_csv(target)) == LARGE + 1


def test_two_runs_do_not_write_one_output(large, device_python, bundle, refused, tmp_path):
    target = tmp_path / "s.csv"
    command = [device_python, "-m", "glovelite.runtime", bundle, "--input", large]
    command += ["--output", target]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while "s.csv.partial" not in leftovers(tmp_path):
            time.sleep(0.02)
        assert f"is being written by process {process.pid}" in refused(large, target)
        process.kill()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(device_python, bundle, tmp_path):
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    command = (device_python, "-c", measure, device_python, "-m", "glovelite.runtime", bundle)
    megabytes = []
    for name, count in (("small.csv", 3), ("large.csv", 60_000)):
        source = write_texts(tmp_path / name, count)
        done = run(*command, "--input", source, "--output", tmp_path / f"scored-{name}")
        megabytes.append(int(done.stdout.splitlines()[-1]))
    assert megabytes[1] < megabytes[0] + 30
