"""`--autotune` with its trials on Ray: the same study and file, whatever dies.

Trainings run in processes of their own, because TensorFlow clashes with tflite-runtime in one.
"""

import csv
import os
import signal
import subprocess
import sys

import pytest

from tests.helpers import ROOT, SLICE, read_json, run, write_user_modules

pytest.importorskip("ray", reason="needs the extra scale: run `make test-scale`")

import psutil

OPTIONS = [
    "--glove", SLICE, "--preset", "tiny", "--filters", "4", "--adapter", "0", "--epochs", "2",
    "--kernel-size", "1", "--max-words", "100",
]  # fmt: skip


def make_texts(numbers):
    """Return texts of animals and plants, with words that tell most of them apart."""
    texts = [f"{'animal' if n % 2 else 'plant'} {n % 7} {n}" for n in numbers]
    return texts, ["plant" if n % 2 ^ (n % 9 == 0) else "animal" for n in numbers]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Training and dev text, enough to compare trials on."""
    folder = tmp_path_factory.mktemp("text")
    for name, numbers in (
        ("train", range(400)),
        ("dev", range(1000, 1500)),
        ("test", range(2000, 2050)),
    ):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *zip(*make_texts(numbers))])
    return folder


def command(text, out, seconds, *options):
    return [
        sys.executable, "-m", "glovelite.train", text, "--out", out, *OPTIONS,
        "--autotune", f"{seconds}s", *options,
    ]  # fmt: skip


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def read_trials(out):
    with (out / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def saved_trials(out):
    """Return the trials that an unfinished search has saved."""
    path = out.with_name(f".{out.name}.autotune")
    return read_json(path)["trials"] if path.is_file() else []


def find_workers():
    """Return the processes that are running a trial."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "ray::TrialWorker.run" in str(process.info["cmdline"])
    ]


def test_trials_run_on_all_cores(text, tmp_path):
    alone, ray = tmp_path / "alone", tmp_path / "ray"
    write_user_modules(tmp_path)
    run(*command(text, alone, 30), cwd=tmp_path)
    done = run(*command(text, ray, 90, "--address", "local", "--workers", "2"), cwd=tmp_path)
    assert "2 trials at a time, on Ray" in done.stdout
    trials = {trial["number"]: trial for trial in read_trials(ray) if not trial["repeats"]}
    assert len(trials) >= 4
    assert sorted(map(int, trials)) == list(range(len(trials)))
    complete = [trial for trial in trials.values() if trial["state"] == "complete"]
    assert all(trial["relative"] for trial in complete)
    for trial in read_trials(alone):  # the first ones do not depend on others
        other = trials.get(trial["number"])
        if other and {trial["state"], other["state"]} == {"complete"} and int(trial["number"]) < 4:
            assert float(other["loss"]) == pytest.approx(float(trial["loss"]), abs=0.02)
    summary = read_json(ray / "metrics.json")["autotune"]
    assert summary["trials"] == len(trials)
    assert summary["relative"] <= 1


def test_a_trial_that_would_end_too_late_is_given_up(text, tmp_path):
    out = tmp_path / "run"
    done = run(*command(text, out, 2, "--address", "local", "--workers", "2"), cwd=ROOT)
    assert "given up: it was not finished in time" in done.stdout
    assert [trial["number"] for trial in read_trials(out)] == ["0"]


@pytest.mark.nightly
def test_a_killed_worker_loses_no_trial(text, tmp_path, wait_for):
    out = tmp_path / "run"
    arguments = command(text, out, 100, "--address", "local", "--workers", "2")
    with subprocess.Popen(
        list(map(str, arguments)), env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        wait_for(lambda: saved_trials(out) and find_workers())
        for worker in find_workers()[:1]:
            worker.kill()
        printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    numbers = [int(trial["number"]) for trial in read_trials(out)]
    assert sorted(numbers) == list(range(len(numbers)))


@pytest.mark.nightly
@pytest.mark.parametrize("options", [(), ("--address", "local", "--workers", "2")])
def test_a_killed_search_continues_with_ray_or_without(text, tmp_path, wait_for, options):
    out = tmp_path / "run"
    first = command(text, out, 100, "--address", "local", "--workers", "2")
    with subprocess.Popen(
        list(map(str, first)), env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: len(saved_trials(out)) >= 2)
        process.send_signal(signal.SIGKILL)
    saved = len(saved_trials(out))
    done = run(*command(text, out, 100, *options), cwd=ROOT)
    assert f"resuming after trial {saved}" in done.stdout
    assert len(read_trials(out)) > saved


@pytest.mark.nightly
def test_a_search_goes_on_when_a_node_of_the_cluster_leaves(text, tmp_path, cluster, wait_for):
    """The trial that ran there is started again where there is room, or given up."""
    node, out = cluster.add_node(num_cpus=1), tmp_path / "run"
    arguments = command(text, out, 120, "--address", cluster.address, "--workers", "3")
    with subprocess.Popen(
        list(map(str, arguments)), env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        wait_for(lambda: len(saved_trials(out)) >= 2)
        cluster.remove_node(node, allow_graceful=False)
        printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    assert "3 trials at a time, on Ray" in printed
    assert len(read_trials(out)) >= 3


def test_an_address_without_a_cluster_is_one_line(text, tmp_path):
    arguments = command(text, tmp_path / "run", 30, "--address", "127.0.0.1:1")
    done = run(*arguments, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "127.0.0.1:1 cannot be reached" in done.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--address", "local"), "belong to --autotune"),
        (("--autotune", "9s", "--workers", "2"), "address"),
    ],
)
def test_options_that_lack_another_are_refused(text, tmp_path, options, expected):
    done = run(
        sys.executable,
        "-m",
        "glovelite.train",
        text,
        "--out",
        tmp_path / "r",
        *options,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert expected in done.stderr
