"""The search for training options: what is tried, compared and chosen, and how it resumes."""

import itertools
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glovelite.runtime.logs import log_to
from glovelite.train import Autotune, OptionsError, make_options, train_classifier
from glovelite.train.data.inputs import read_sequences
from glovelite.train.metrics import describe_next_step
from glovelite.train.preparation import prepare
from glovelite.train.request import SEARCHED, TrainingRequest, make_autotune
from glovelite.train.tuning.criterion import average, measure
from glovelite.train.tuning.evaluation import make_comparison
from glovelite.train.tuning.search import tune
from glovelite.train.tuning.space import fixed_bytes, limit_filters, make_space
from glovelite.train.unfinished import TrialFile, make_identity
from tests.helpers import GLOSSES, SLICE, interrupted, read_csv, read_json, write_pairs
from tests.train.command import train

HOUR = 3600.0
TINY = make_options("tiny", filters=2, adapter=0, max_words=100, max_tokens=4, epochs=2)
FIXED = ("filters", "adapter", "epochs", "kernel_sizes")  # for trials of a second


def make_texts(numbers):
    """Return texts of animals and plants, with words that tell most of them apart."""
    texts = [f"{'animal' if n % 2 else 'plant'} {n % 7} {n}" for n in numbers]
    return texts, ["plant" if n % 2 ^ (n % 9 == 0) else "animal" for n in numbers]


TEXTS, LABELS = make_texts(range(60))
DEV = make_texts(range(1000, 1500))  # enough to compare on, so that a trial is one training


def search(out, trials=3, options=TINY, fixed=FIXED, **keywords):
    """Train on a few texts after a search of some trials."""
    autotune = Autotune(HOUR, fixed=fixed, max_trials=trials, **keywords)
    return train_classifier(
        TEXTS, LABELS, out, options, dev=DEV, vectors=str(SLICE), autotune=autotune
    )


def read_trials(run):
    return read_csv(run / "trials.csv")


def without_times(trials):
    return [
        {name: value for name, value in trial.items() if name not in ("seconds", "at")}
        for trial in trials
    ]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A search of three trials that was interrupted after two and resumed, and its run."""
    folder = tmp_path_factory.mktemp("tuned")
    with interrupted("trial  1") as lines:
        search(folder / "run")
    left = {path.name: path.read_bytes() for path in folder.iterdir()}
    logged = []
    with log_to(logged.append):
        search(folder / "run")
    return SimpleNamespace(interrupted=lines, left=left, logged=logged, run=folder / "run")


@pytest.fixture(scope="module")
def tuned_run(resumed):
    """A run after a search of three trials."""
    return resumed.run


@pytest.mark.slow
def test_a_run_records_its_trials(tuned_run):
    trials = read_trials(tuned_run)
    explored = [trial for trial in trials if not trial["repeats"]]
    assert [trial["number"] for trial in explored] == ["0", "1", "2"]
    assert explored[0]["relative"] == "1.0"
    assert set(SEARCHED) <= set(trials[0])
    assert (tuned_run / "trials.png").stat().st_size > 5000
    summary = read_json(tuned_run / "metrics.json")["autotune"]
    assert summary["trials"] == 3
    assert summary["compared_on"] == "500 dev texts"
    assert str(summary["chosen"]) in {trial["number"] for trial in explored}


@pytest.mark.slow
def test_the_chosen_options_are_no_worse_than_the_default(tuned_run):
    summary = read_json(tuned_run / "metrics.json")["autotune"]
    assert summary["relative"] <= 1
    assert (summary["relative"] == 1) == (summary["chosen"] == 0)


@pytest.mark.slow
def test_the_options_of_a_run_are_those_of_the_chosen_trial(tuned_run):
    metrics = read_json(tuned_run / "metrics.json")
    trial = read_trials(tuned_run)[metrics["autotune"]["chosen"]]
    for name in ("filters", "dropout", "word_dropout", "learning_rate"):
        value = metrics["configuration"][name]
        assert trial[name] == ("" if value is None else str(value))


@pytest.mark.slow
def test_an_interrupted_search_resumes_after_its_last_trial(resumed):
    expected = "interrupted in the search: the same command resumes after trial 2"
    assert resumed.interrupted[-1] == expected
    assert [*resumed.left] == [".run.autotune"]
    assert "resuming after trial 2" in resumed.logged
    assert not any(line.startswith(("trial  0", "trial  1")) for line in resumed.logged)
    assert [path.name for path in resumed.run.parent.iterdir()] == ["run"]


@pytest.mark.nightly
def test_a_resumed_search_equals_one_of_the_same_seed_that_ran_through(tuned_run, tmp_path):
    search(tmp_path / "again")
    assert without_times(read_trials(tmp_path / "again")) == without_times(read_trials(tuned_run))


@pytest.mark.slow
def test_a_search_with_other_options_starts_from_scratch(resumed, tmp_path):
    for name, content in resumed.left.items():
        (tmp_path / name).write_bytes(content)
    run = tmp_path / "run"
    with interrupted("starting from scratch") as lines:
        search(run, max_bytes=50_000)
    expected = f"the unfinished search beside {run} had max_size default, not 50000"
    assert f"starting from scratch: {expected}" in lines


@pytest.mark.nightly
def test_a_search_of_one_trial_trains_as_without_a_search(tmp_path):
    tuned = search(tmp_path / "tuned", trials=1)
    plain = train_classifier(TEXTS, LABELS, tmp_path / "plain", TINY, dev=DEV, vectors=str(SLICE))
    assert tuned.metrics.history == plain.metrics.history
    assert tuned.metrics.run == plain.metrics.run


@pytest.fixture(scope="module")
def multi_label(tmp_path_factory):
    """A run of the command line after a search on multi-label text, and its output."""
    folder = tmp_path_factory.mktemp("multi-label")
    header, *lines = write_pairs(folder).read_text("utf-8").splitlines()
    for name, part in (("train", lines[:400]), ("dev", lines[400:])):
        (folder / f"{name}.csv").write_text("\n".join([header, *part]) + "\n", "utf-8")
    options = (folder / "train.csv", "--dev", folder / "dev.csv", "--glove", SLICE)
    options += ("--filters", 2, "--epochs", 1, "--adapter", 0, "--dropout", 0.3)
    options += ("--autotune", "1s", "--max-size", "40kB")
    return folder / "run", train(*options, "--out", folder / "run").stdout


@pytest.mark.slow
def test_options_of_the_command_line_are_kept(multi_label):
    run, output = multi_label
    assert "searching learning_rate, kernel_sizes, word_dropout, wide, balanced on " in output
    assert output.endswith(" --max-size 40kB\n")
    configuration = read_json(run / "metrics.json")["configuration"]
    assert (configuration["filters"], configuration["dropout"]) == (2, 0.3)


@pytest.mark.slow
def test_multi_label_text_is_searched_with_class_weights(multi_label):
    run, output = multi_label
    assert ", balanced on " in output
    assert "F1 " in output
    summary = read_json(run / "metrics.json")["autotune"]
    assert 0 < summary["default"]["score"] < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--autotune", "10"), "expected something like 90s, 10m or 1h"),
        (("--max-size", "500kB"), "--max-size belongs to --autotune"),
        (("--autotune", "1m", "--folds", 5), "--autotune and --folds"),
        (("--autotune", "1m", "--find-label-errors"), "--autotune and --find-label-errors"),
        (("--autotune", "1m", "--compare-scratch"), "--autotune and --compare-scratch"),
        (("--autotune", "1m", "--max-size", "1kB"), "max_bytes: expected an integer of at least"),
    ],
)
def test_wrong_usage_is_refused(tmp_path, options, message):
    done = train(GLOSSES, "--out", tmp_path / "run", *options, check=False)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


def test_autotune_takes_seconds_or_a_timedelta():
    assert make_autotune(None) is None
    assert make_autotune(90) == Autotune(90)
    assert make_autotune(timedelta(minutes=2)) == Autotune(120.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seconds": 0}, "seconds: expected a number from 1"),
        ({"seconds": 60, "max_trials": 0}, "max_trials: expected an integer"),
        ({"seconds": 60, "fixed": ("seed",)}, "expected some of learning_rate.*found 'seed'"),
        ({"seconds": 60, "fixed": SEARCHED}, "all options are fixed"),
    ],
)
def test_an_impossible_search_is_refused(settings, message):
    with pytest.raises(OptionsError, match=message):
        Autotune(**settings)


def test_the_next_step_has_the_size(tmp_path):
    assert describe_next_step(tmp_path / "run", 500_000).endswith(" --max-size 500kB")
    assert describe_next_step(tmp_path / "run", 1234).endswith(" --max-size 1234B")


# The space


@pytest.mark.parametrize(
    "base", [TINY, make_options(), make_options("article"), make_options("large", filters=300)]
)
def test_the_first_trial_has_the_given_options(base):
    space = make_space(base, Autotune(60), 5_000, 1, multi_label=False)
    assert space.make_options(space.first_trials()[0], 5_000) == base


def test_lstm_models_keep_one_kernel_and_no_wide_weights():
    base = make_options(architecture="conv-lstm")
    space = make_space(base, Autotune(60), 5_000, 1, multi_label=False)
    assert "wide" not in space.distributions
    for parameters in space.first_trials():
        space.make_options(parameters, 5_000)  # raises OptionsError if they contradict each other


@pytest.mark.parametrize("name", SEARCHED)
def test_a_fixed_option_is_not_searched(name):
    space = make_space(make_options(), Autotune(60, fixed=(name,)), 5_000, 4, multi_label=True)
    assert set(space.distributions) == set(SEARCHED) - {name}
    values = {
        str(getattr(space.make_options(trial, 5_000), name)) for trial in space.first_trials()
    }
    if name != "learning_rate":  # follows the epochs unless it is given
        assert values == {str(getattr(make_options(), name))}


@given(
    st.integers(1, 1024), st.lists(st.integers(1, 8), min_size=1, max_size=4), st.integers(1, 50)
)
def test_a_model_leaves_half_of_the_bundle_for_words(filters, kernels, outputs):
    options = make_options(filters=filters, kernel_sizes=tuple(kernels), wide=False)
    limited = limit_filters(options, outputs, 100_000)
    assert fixed_bytes(limited, outputs) <= 50_000
    assert limited.filters == filters or (
        fixed_bytes(make_options(limited, filters=limited.filters + 8), outputs) > 50_000
    )


def test_a_small_bundle_limits_the_filters_of_all_trials():
    base = make_options("large")
    space = make_space(base, Autotune(60, max_bytes=60_000), 5_000, 6, multi_label=False)
    for parameters in space.first_trials():
        assert fixed_bytes(space.make_options(parameters, 5_000), 6) <= 30_000


# The criterion


def test_measure_of_single_labels():
    logits = np.array([[2.0], [-1.0], [0.5], [3.0]], np.float32)
    measured = measure(logits, np.array([1, 0, 0, 1]), None)
    assert measured.error == pytest.approx(0.25)
    assert measured.score == pytest.approx(0.75)
    assert [error for _, error in measured.without] == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    means = [loss for loss, _ in measured.without]
    assert np.mean(means) == pytest.approx(measured.loss)


def test_measure_of_several_labels_has_the_f1_of_the_scores():
    random = np.random.default_rng(0)
    targets = random.random((300, 5)) < 0.3
    logits = (random.normal(size=(300, 5)) + 2 * targets - 1).astype(np.float32)
    measured = measure(logits, targets, np.arange(300) % 3)
    assert len(measured.without) == 20
    assert 0 < measured.loss < 1
    assert 0.3 < measured.score < 1


def test_a_trial_is_as_good_as_itself():
    logits = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
    measured = measure(logits, np.arange(90) % 3, None)
    assert measured.relative_to(measured) == 1
    assert measured.standard_error(measured, measured) == 0
    assert average([measured, measured]).relative_to(measured) == pytest.approx(1)


def test_the_error_of_a_difference_falls_with_the_texts():
    random = np.random.default_rng(0)

    def difference(texts):
        targets = np.arange(texts) % 2
        signal = (2 * targets - 1)[:, None] + random.normal(size=(texts, 1))
        noise = random.normal(size=(2, texts, 1)) / 2
        one, other = (
            measure((signal + shift).astype(np.float32), targets, None) for shift in noise
        )
        return one.standard_error(other, one)

    assert difference(100) > 2 * difference(10_000)


# The time


def prepare_texts(dev=None):
    request = TrainingRequest((), "run", vectors=str(SLICE))
    inputs = read_sequences(TEXTS, LABELS, dev, None, None, None, 0)
    return prepare(inputs, request, TINY)


@pytest.mark.parametrize(
    ("seconds", "least", "most"),
    [(1, 1, 1), pytest.param(26, 3, 8, marks=pytest.mark.nightly)],
)
def test_a_search_ends_in_time(tmp_path, seconds, least, most):
    """Each look at the clock takes half a second, so a trial takes some for each epoch."""
    ticks = itertools.count()
    trial_file = TrialFile(tmp_path / "trials", make_identity({}))
    settings = Autotune(seconds, fixed=FIXED)
    result = tune(prepare_texts(DEV), settings, trial_file, clock=lambda: next(ticks) / 2)
    assert least <= len(result.trials) <= most
    final = result.trials[0].seconds
    assert len(result.trials) == 1 or result.seconds + final <= seconds


def test_folds_are_compared_where_there_is_little_dev_text():
    data = prepare_texts()
    comparison = make_comparison(data, 0)
    assert comparison.describe() == "54 texts in 5 of 5 folds"
    assert [len(part.rows) for part in comparison.parts] == pytest.approx([11] * 5, abs=2)
    assert np.unique(np.concatenate([part.rows for part in comparison.parts])).size == 54
    other = make_comparison(data, 1)
    assert not np.array_equal(other.parts[0].scored.targets, comparison.parts[0].scored.targets)
