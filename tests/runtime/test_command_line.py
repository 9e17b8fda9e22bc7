"""glovelite-run, where it matters in an environment with only the runtime and what it needs."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glovelite.runtime.extras import missing_extra_message
from tests.helpers import LEGACY_RUN, call_main, classify, run

LOADED = """
import json, sys
before = set(sys.modules)
from glovelite import Classifier
classifier = Classifier.load(sys.argv[1])
classifier.predict(["a tree", "a bird " * 500])
print(json.dumps(sorted(set(sys.modules) - before)))
"""
ALLOWED = {
    "tflite_runtime": {"glovelite", "numpy", "tflite_runtime"},
    "ai_edge_litert": {"glovelite", "numpy", "ai_edge_litert", "flatbuffers", "ml_dtypes"},
}
NOT_ON_A_DEVICE = {
    *("argparse", "asyncio", "email", "http", "multiprocessing"),
    *("socket", "sqlite3", "ssl", "subprocess", "unittest"),
}


def test_device_environment_holds_only_the_runtime(device_python):
    listed = json.loads(run(device_python, "-m", "pip", "list", "--format=json").stdout)
    names = {row["name"].lower() for row in listed}
    assert not names & {"tensorflow", "keras", "click", "matplotlib", "polars"}
    assert "glovelite" in names


def test_predict_loads_only_what_it_needs(device_python, bundle, tmp_path):
    done = run(device_python, "-c", LOADED, bundle, cwd=tmp_path)
    modules = set(json.loads(done.stdout))
    assert not {
        name for name in modules if name.startswith(("glovelite.data", "glovelite.runtime.http"))
    }
    top_level = {name.partition(".")[0] for name in modules if "cython" not in name}
    packages = top_level - set(sys.stdlib_module_names)
    interpreter = "tflite_runtime" if "tflite_runtime" in packages else "ai_edge_litert"
    assert packages <= ALLOWED[interpreter]
    assert not top_level & NOT_ON_A_DEVICE


@pytest.mark.parametrize("tool", ["train", "convert"])
def test_train_and_convert_name_the_missing_extra(device_python, tool):
    done = run(device_python, "-m", f"glovelite.{tool}", check=False)
    assert done.returncode == 1
    hint = re.search(rf"pip install '(.+)\[{tool}\]'$", done.stderr)
    assert hint[1].endswith(".whl") or Path(hint[1], "pyproject.toml").exists()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("file", "command"),
    [("uv-receipt.toml", "uv tool install"), ("pipx_metadata.json", "pipx install")],
)
def test_a_tool_of_uv_or_pipx_is_replaced_by_one_with_the_extra(
    tmp_path, monkeypatch, file, command
):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    (tmp_path / file).touch()
    hint = rf"click is not installed: {command} --force '.+\[train\]'"
    assert re.fullmatch(hint, missing_extra_message("click", "train"))


def test_texts_from_arguments(device_command):
    lines = device_command("a tall tree", "someone who sings").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["plant", "person"]
    assert "%" in lines[0]
    assert lines[0].endswith("a tall tree")


def test_texts_from_standard_input(command):
    lines = command(stdin="a tall tree\n\nsomeone who sings\n").stdout.splitlines()
    assert len(lines) == 3


def test_json_prints_an_object_per_text(command):
    lines = command("--json", "a tree", "a bird").stdout.splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["text"] for answer in answers] == ["a tree", "a bird"]
    for answer in answers:
        prediction = answer["prediction"]
        assert prediction["probability"] == max(prediction["probabilities"].values())


def test_jsonl_keeps_other_fields(command):
    stdin = '\ufeff{"text": "a tree\\nwith leaves", "id": 7, "label": "mine"}\n\n'
    (line,) = command("--jsonl", stdin=stdin).stdout.splitlines()
    answer = json.loads(line)
    assert (answer["id"], answer["label"]) == (7, "mine")
    assert answer["text"] == "a tree\nwith leaves"
    assert answer["prediction"]["label"] == "plant"


@pytest.mark.parametrize("name", ["prediction", "explanation"])
def test_jsonl_never_replaces_a_field(command, name):
    stdin = json.dumps({"text": "a tree", name: "mine"}) + "\n"
    done = command("--jsonl", "--explain", "--skip-bad-lines", stdin=stdin, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f'line 1 of stdin already has a field "{name}"' in done.stderr
    assert "--prefix new_" in done.stderr
    answer = json.loads(command("--jsonl", "--explain", "--prefix", "new_", stdin=stdin).stdout)
    assert list(answer) == list(dict.fromkeys(["text", name, "new_prediction", "new_explanation"]))
    assert answer[name] == "mine"


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("id,text,label", "CSV with a header"),
        ('"Id";"Review"', "CSV with a header"),
        ("sentence\tlabel", "TSV with a header"),
        ('{"text": "a tree"}', "--jsonl"),
        ("a text, and a label, in a sentence that is long", ""),
        ("a tall tree", ""),
        ("{", ""),
    ],
)
def test_lines_in_another_format_give_one_hint(command, first, expected):
    done = command(stdin=f"{first}\n1,a tree,plant\n")
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr.count("\n") == bool(expected)
    assert expected in done.stderr
    assert "each line is classified as it is" in done.stderr or not expected


@pytest.mark.parametrize("text", ["\ud800", "é" * 3, "\\", '"', "a\u2028b"])
def test_jsonl_keeps_unusual_text(command, text):
    (line,) = command("--jsonl", stdin=json.dumps({"text": text}) + "\n").stdout.split("\n")[:-1]
    assert json.loads(line)["text"] == text


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        ("{\n", "line 1"),
        ('{"text": "a", "x": NaN}\n', "NaN is not a JSON number"),
        ('{"text": "a", "x": 1e999}\n', "too large"),
        ('{"text": "a"}\n[]\n', "line 2"),
        ('{"text": 3}\n', 'a string "text"'),
        (f'{{"text": "a", "x": {"[" * 300 + "]" * 300}}}\n', "more than 100 levels"),
    ],
)
def test_jsonl_numbers_an_invalid_line(command, stdin, message):
    done = command("--jsonl", stdin=stdin, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "--skip-bad-lines" in done.stderr
    assert "Traceback" not in done.stderr


def test_skip_bad_lines_warns_and_continues(command):
    lines = ['{"text": "a tree", "id": 1}', "{", '{"text": null}', '{"text": "a bird", "id": 4}']
    done = command("--jsonl", "--skip-bad-lines", stdin="\n".join(lines))
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [1, 4]
    warnings = [line.split(" of stdin ")[0] for line in done.stderr.splitlines()]
    assert warnings == ["glovelite-run: line 2", "glovelite-run: line 3"]


LINES = "a tall tree\nsomeone who sings\n"


@pytest.fixture
def classify_bytes(command):
    """A function that gives bytes to the command; it returns the labels and the error lines."""

    def call(content, *options):
        done = command("--json", *options, stdin=content)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        return [answer["prediction"]["label"] for answer in answers], done.stderr.splitlines()

    return call


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding_of_stdin(classify_bytes, encoding):
    assert classify_bytes(LINES.encode(encoding)) == (["plant", "person"], [])


def test_utf_16_without_a_mark_gives_one_warning_with_the_way_out(classify_bytes):
    content = LINES.encode("utf-16-le")
    _, (warning,) = classify_bytes(content)
    assert "line 1 of stdin holds NUL" in warning
    assert "--encoding utf-16-le" in warning
    assert classify_bytes(content, "--encoding", "utf-16-le") == (["plant", "person"], [])


def test_undecodable_bytes_give_one_warning_with_the_way_out(classify_bytes):
    content = "a tall tree\n{}\n{}\n".format(*["someone who sings in a café"] * 2).encode("cp1252")
    labels, (warning,) = classify_bytes(content)
    assert labels == ["plant", "person", "person"]
    assert "line 2 of stdin is not utf-8 (byte 0xe9)" in warning
    assert "--encoding, such as cp1252" in warning
    assert classify_bytes(content, "--encoding", "cp1252") == (labels, [])
    objects = '{"text": "a tall tree"}\n'.encode("utf-16")
    assert classify_bytes(objects, "--jsonl") == (["plant"], [])


def test_a_text_that_names_a_file_is_questioned(command, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("text\na tall tree\n", "utf-8")
    done = command(path, "a tall tree")
    assert len(done.stdout.splitlines()) == 2
    (line,) = done.stderr.splitlines()
    assert f"was --input {path} --output FILE meant" in line


def test_invalid_utf8_is_classified(device_python, bundle):
    done = subprocess.run(
        [device_python, "-m", "glovelite.runtime", bundle],
        input=b"caf\xe9 \xff\n",
        capture_output=True,
    )
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("end", ["> /dev/full", "<&-", "2>&-"])
def test_full_disk_and_closed_streams_print_no_traceback(device_python, bundle, end):
    texts = "" if "<" in end else "'a tree'"
    command = f"{device_python} -m glovelite.runtime {bundle} {texts} {end}"
    done = run("bash", "-c", command, check=False)
    assert done.returncode == (1 if "full" in end else 0)
    assert "Traceback" not in done.stderr


def test_text_instead_of_the_bundle_is_a_one_line_error():
    done = classify("a long review " * 40, check=False)
    assert done.returncode == 1
    assert f"cannot be accessed ({os.strerror(errno.ENAMETOOLONG)})" in done.stderr
    assert "Traceback" not in done.stderr


def test_control_characters_never_reach_the_terminal(command):
    (line,) = command(stdin="a \x1b]0;title\x07 tree\u202e\x9b2J\n").stdout.splitlines()
    assert line.endswith("a \ufffd]0;title\ufffd tree\ufffd\ufffd2J")


def test_missing_bundle_is_a_one_line_error(tmp_path):
    done = classify(tmp_path / "none", "text", check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "does not exist" in done.stderr


def test_a_run_folder_is_named_with_the_command_that_makes_a_bundle(tmp_path):
    folder = shutil.copytree(LEGACY_RUN, tmp_path / "my mails")
    done = classify(folder, "text", check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is a run folder, not a bundle" in done.stderr
    assert f"`glovelite-convert export '{folder}' --out 'bundles/my mails'`" in done.stderr


def test_other_paths_are_answered_with_the_bundle_to_give(bundle, tmp_path):
    (tmp_path / "one").symlink_to(bundle)
    for path, found in ((tmp_path, tmp_path / "one"), (bundle / "vocab.json", bundle)):
        done = classify(path, "text", check=False)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.endswith(f"{found}\n")
    (tmp_path / "two").symlink_to(bundle)
    done = classify(tmp_path, "text", check=False)
    assert "holds 2: give one of them" in done.stderr


def test_wrong_usage_exits_with_2():
    assert call_main("run", (), check=False).returncode == 2


def test_help_shows_examples():
    assert "examples:" in call_main("run", ("--help",)).stdout


def test_closed_pipe_is_no_error(device_python, bundle):
    command = f"yes 'a tree' | head -2000 | {device_python} -m glovelite.runtime {bundle} | head -1"
    done = run("bash", "-c", command)
    assert done.stderr == ""


def test_top_shows_several_classes(command):
    (line,) = command("--top", "2", "a tall tree").stdout.splitlines()
    assert line.startswith("plant")
    assert line.count("%") == 2
    (answer,) = command("--top", "2", "--json", "a tall tree").stdout.splitlines()
    probabilities = json.loads(answer)["prediction"]["probabilities"]
    assert next(iter(probabilities)) == "plant"
    assert len(probabilities) == 2


@pytest.mark.parametrize("option", ["--top", "--threads"])
@pytest.mark.parametrize("value", ["0", "two"])
def test_counts_must_be_positive(command, option, value):
    done = command(option, value, "text", check=False)
    assert done.returncode == 2
    assert f"{option}: expected a positive integer, found {value!r}" in done.stderr


def test_threads_do_not_change_predictions(command):
    texts = ["a tall tree", "someone who sings"]
    assert command("--threads", "2", *texts).stdout == command(*texts).stdout


def test_very_long_text_and_nul_characters(command):
    lines = command(stdin="tree " * 2_000_000 + "\n" + "\0" * 1000 + "\n").stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("(truncated)")


MEMORY = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr)
sys.exit(done.returncode)
"""


def test_skipping_all_lines_is_an_error(command):
    done = command("--jsonl", "--skip-bad-lines", stdin="{\n[]\n", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "none of the 2 lines of stdin can be classified" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("options", [(), ("--jsonl", "--skip-bad-lines")])
def test_a_line_of_any_length_takes_bounded_memory(device_python, bundle, options, tmp_path):
    long = tmp_path / "long.txt"
    with long.open("w") as file:
        file.writelines(["tree " * 100_000] * 200)  # 100 MB
        file.write('\n{"text": "a tall tree"}\n')
    measured = (
        device_python,
        "-c",
        MEMORY,
        device_python,
        "-m",
        "glovelite.runtime",
        bundle,
        "--json",
    )
    with long.open() as stdin:
        done = run(*measured, *options, stdin=stdin)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    truncated = [answer["prediction"]["truncated"] for answer in answers]
    assert truncated == [True, False][bool(options) :]
    *warnings, megabytes = done.stderr.splitlines()
    expected = "line 1 of stdin has more than 4,000,000 characters"
    assert any(expected in warning for warning in warnings)
    assert int(megabytes) < 300


def test_time_adds_microseconds(command):
    assert command("a small bird", "--time").stdout.split()[1] == "µs"
    prediction = json.loads(command("a small bird", "--time", "--json").stdout)["prediction"]
    assert prediction["microseconds"] > 0


def test_version_is_printed(device_python):
    done = run(device_python, "-m", "glovelite.runtime", "--version")
    assert done.stdout.startswith("glovelite-run 0.")


def test_bulk_scoring_without_its_extra_names_it(device_python):
    done = run(
        device_python,
        "-m",
        "glovelite.scale.scoring.cli",
        "a.csv",
        "out",
        "--bundle",
        "b",
        check=False,
    )
    assert done.returncode == 1
    assert re.search(r"\w+ is not installed: pip install '.+\[scale\]'\n$", done.stderr)
    assert "Traceback" not in done.stderr
