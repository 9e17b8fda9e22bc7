"""What the tests stand on: one real run and its bundles, made once a session.

The text is 2,000 WordNet definitions in four classes, the vectors a slice of GloVe 6B 100d; see
data/README.md. TensorFlow and tflite-runtime cannot share a process, so whatever needs TensorFlow
runs in a process of its own, as it does for a user.
"""

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
GLOSSES = DATA / "glosses.csv"
SLICE = DATA / "glove.6B.100d.slice.txt.gz"

# `--hypothesis-profile emulated`: fewer examples where every instruction is emulated.
hypothesis.settings.register_profile("emulated", deadline=None, max_examples=20)

# tflite-runtime's ARM wheels are built with -ffast-math: in their process the smallest are 0.
FLOATS = hypothesis.strategies.floats(allow_subnormal=False)


def run(*command, check=True, **options):
    """Run a command; show what it said if it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, encoding="utf-8", **options
    )
    if check and done.returncode:
        pytest.fail(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def train(*options, check=True, **keywords):
    return run(sys.executable, "-m", "train", *options, check=check, **keywords)


def convert(*options, check=True, **keywords):
    return run(sys.executable, "-m", "convert", *options, check=check, **keywords)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory):
    """Parsed vectors go to a folder of the session's own."""
    os.environ["GLOVELITE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A run on all the glosses, four classes."""
    folder = tmp_path_factory.mktemp("runs") / "glosses"
    train(GLOSSES, "--glove", SLICE, "--out", folder)
    return folder


def write_two_classes(folder):
    """Write the glosses of two classes to a file in a folder."""
    lines = GLOSSES.read_text("utf-8").splitlines()
    chosen = [line for line in lines if line.endswith((",label", ",animal", ",plant"))]
    (folder / "two.csv").write_text("\n".join(chosen) + "\n", "utf-8")
    return folder / "two.csv"


@pytest.fixture(scope="session")
def binary_run_folder(tmp_path_factory):
    """A run on two of the classes: one sigmoid output."""
    folder = tmp_path_factory.mktemp("runs")
    train(write_two_classes(folder), "--glove", SLICE, "--out", folder / "two", "--epochs", 3)
    return folder / "two"


def _bundle(request, name, run_name, *options):
    """A bundle made now, or the one made elsewhere for where there is no TensorFlow."""
    made = os.environ.get("GLOVELITE_TEST_BUNDLES")
    if made:
        return Path(made) / name
    folder = request.getfixturevalue("tmp_path_factory").mktemp("bundles") / name
    convert("export", request.getfixturevalue(run_name), "--out", folder, *options)
    return folder


@pytest.fixture(scope="session")
def bundle(request):
    """The four-class bundle by the default recipe."""
    return _bundle(request, "dynamic", "run_folder")


@pytest.fixture(scope="session")
def float_bundle(request):
    """The four-class bundle in float32."""
    return _bundle(request, "float32", "run_folder", "--quantize", "float32")


@pytest.fixture(scope="session")
def int4_bundle(request):
    """The four-class bundle in int4."""
    return _bundle(request, "int4", "run_folder", "--quantize", "int4")


@pytest.fixture(scope="session")
def binary_bundle(request):
    """The two-class bundle."""
    return _bundle(request, "binary", "binary_run_folder")


@pytest.fixture(scope="session")
def device_python():
    """The Python of an environment that holds the runtime and nothing else."""
    path = os.environ.get("GLOVELITE_DEVICE_PYTHON")
    if not path:
        pytest.fail("GLOVELITE_DEVICE_PYTHON names no environment: run `make test`")
    return path


@pytest.fixture
def command(device_python, bundle):
    """The device's `glovelite-run` on the four-class bundle."""

    def call(*options, stdin="", check=True):
        return run(device_python, "-m", "runtime", bundle, *options, input=stdin, check=check)

    return call
