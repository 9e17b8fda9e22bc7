"""Fixtures: real runs and bundles, each made once per test session.

The text is 2,000 WordNet definitions in four classes, the vectors are a slice of GloVe 6B 100d; see
data/README.md.
"""

import fcntl
import functools
import os
import signal
import subprocess
from pathlib import Path

import hypothesis
import pytest

from glovelite.runtime.logs import log_to
from tests import helpers
from tests.helpers import (
    ALL_DIMENSIONS,
    DATA,
    GLOSSES,
    SLICE,
    convert,
    run,
    write_pairs,
    write_two_classes,
)

# No time is asserted: a loaded machine is slow. `--hypothesis-profile emulated`: fewer examples
# where every instruction is emulated.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("emulated", deadline=None, max_examples=20)
hypothesis.settings.load_profile("default")

# A shell ignores Ctrl-C in the commands that it starts in the background; those that the tests
# start must not inherit this.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Options of the shared runs, after the text they train on.
RUNS = {
    "glosses": ("--filters", 32, "--epochs", 5),
    "two": ("--filters", 32, "--epochs", 3),
    "lstm": ("--architecture", "conv-lstm", "--epochs", 4),
    "wide": ("--wide", "--kernel-size", 2, "--kernel-size", 4, "--filters", 24, "--epochs", 4),
    "article": ("--preset", "article", "--epochs", 5),
    "topics": ("--filters", 96, "--epochs", 4),
    "pairs": ("--filters", 16, "--epochs", 4),
    "characters": ("--glove", "none", "--preset", "article", "--filters", 16, "--epochs", 3),
    "folds": ("--preset", "article", "--filters", 8, "--epochs", 3, "--folds", 2),
}


class SharedArtifacts:
    """Builds each artifact once per session, in whichever xdist worker needs it first."""

    def __init__(self, folder):
        self.folder = folder

    def get(self, name, build):
        """Return the artifact's path; `build(path)` makes it."""
        path, done = self.folder / name, self.folder / f"{name}.done"
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                build(path)
                done.touch()
        return path


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    """The artifacts that all xdist workers share, and both pytest runs of `make test`."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "artifacts"
    if given := os.environ.get("GLOVELITE_TEST_ARTIFACTS"):
        folder = Path(given)
    folder.mkdir(exist_ok=True)
    return SharedArtifacts(folder)


@pytest.fixture(scope="session", autouse=True)
def _cache(artifacts):
    """Parsed vectors go to a folder of the session's own."""
    os.environ["GLOVELITE_CACHE"] = str(artifacts.folder / "cache")


@pytest.fixture
def logged():
    """The lines that are logged during a test."""
    lines = []
    with log_to(lines.append):
        yield lines


@pytest.fixture(scope="session")
def _conversion_workers():
    """Child processes shared by conversions and trainings: each start imports TensorFlow."""
    from glovelite.convert.worker import worker_pool  # not installed on devices

    with worker_pool():
        yield


@pytest.fixture(scope="session")
def train(_conversion_workers):
    """The function that runs `glovelite-train` for the shared runs."""
    return helpers.train_in_child


@pytest.fixture(scope="session")
def trained(artifacts, train):
    """A function from a name in `RUNS` to its run folder."""

    def get(name):
        def build(folder):
            source = GLOSSES
            if name in ("two", "folds"):
                source = write_two_classes(artifacts.folder)
            elif name == "pairs":
                source = write_pairs(artifacts.folder)
            elif name == "topics":
                source = DATA / "topics.csv"
            train(source, "--glove", SLICE, "--out", folder, *RUNS[name])

        return artifacts.get(f"run-{name}", build)

    return get


@pytest.fixture(scope="session")
def exported(artifacts, trained, _conversion_workers):
    """A function from a run's name and export options to a bundle."""

    def get(run_name, *options):
        name = "-".join(["bundle", run_name, *(str(option).strip("-") for option in options)])

        def build(folder):
            convert("export", trained(run_name), "--out", folder, *options)

        return artifacts.get(name, build)

    return get


@pytest.fixture(scope="session")
def run_folder(trained):
    """A run on all the glosses, four classes."""
    return trained("glosses")


@pytest.fixture(scope="session")
def binary_run_folder(trained):
    """A run on two of the classes: one sigmoid output."""
    return trained("two")


@pytest.fixture(scope="session")
def lstm_run(trained):
    """A `conv-lstm` run."""
    return trained("lstm")


@pytest.fixture(scope="session")
def wide_run(trained):
    """A run with two kernel sizes and wide weights."""
    return trained("wide")


@pytest.fixture(scope="session")
def article_run(trained):
    """A run of the source article's model."""
    return trained("article")


@pytest.fixture(scope="session")
def folds_run(trained):
    """A run on two classes with cross-validation and without test text."""
    return trained("folds")


@pytest.fixture(scope="session")
def pairs_run(trained):
    """A run on multi-label text."""
    return trained("pairs")


@pytest.fixture(scope="session")
def topics_run(trained):
    """A run on twenty classes."""
    return trained("topics")


def _bundle(request, name, run_name, *options):
    """Return a bundle, or the one made elsewhere where there is no TensorFlow."""
    ready = os.environ.get("GLOVELITE_TEST_BUNDLES")
    if ready:
        return Path(ready) / name
    return request.getfixturevalue("exported")(run_name, *options)


@pytest.fixture(scope="session")
def bundle(request):
    """The four-class bundle by the default recipe."""
    return _bundle(request, "dynamic", "glosses")


@pytest.fixture(scope="session")
def float_bundle(request):
    """The four-class bundle in float32, which reads every text as Keras does."""
    return _bundle(request, "float32", "glosses", "--quantize", "float32", "--no-spelling")


@pytest.fixture(scope="session")
def int4_bundle(request):
    """The four-class bundle in int4."""
    return _bundle(request, "int4", "glosses", "--quantize", "int4")


@pytest.fixture(scope="session")
def hashed_bundle(request):
    """The four-class bundle with most of its words hashed."""
    options = ("--listed-words", 400, "--hashed-words", 1000)
    return _bundle(request, "hashed", "glosses", *options)


@pytest.fixture(scope="session")
def hashed_binary_bundle(request):
    """The two-class bundle with some of its words hashed."""
    options = ("--listed-words", 300, "--hashed-words", 400, *ALL_DIMENSIONS)
    return _bundle(request, "hashed-binary", "two", *options)


@pytest.fixture(scope="session")
def binary_bundle(request):
    """The two-class bundle in float32."""
    return _bundle(request, "binary", "two", "--quantize", "float32")


@pytest.fixture(scope="session")
def device_python():
    """The Python of an environment that holds the runtime and nothing else."""
    path = os.environ.get("GLOVELITE_DEVICE_PYTHON")
    if not path:
        pytest.fail("GLOVELITE_DEVICE_PYTHON names no environment: run `make test`")
    return path


@pytest.fixture
def command(bundle):
    """`glovelite-run` on the four-class bundle, in this process."""
    return functools.partial(helpers.classify, bundle)


@pytest.fixture
def device_command(device_python, bundle):
    """`glovelite-run` on the four-class bundle, in a process of the device's environment."""

    def call(*options, **keywords):
        return run(device_python, "-m", "glovelite.runtime", bundle, *options, **keywords)

    return call


@pytest.fixture
def full_disk(tmp_path):
    """A folder on a file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("cannot mount a small file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
