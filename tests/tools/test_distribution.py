"""What the wheel and the sdist hold, and that a packed program runs."""

import os
import sys
import tarfile
from zipfile import ZipFile

import pytest

from tests.helpers import DATA, LEGACY_BUNDLE, ROOT, run

PIP = ("-m", "pip", "--disable-pip-version-check", "install", "-qq")
APP = """
import os, sys
from glovelite import Classifier
from glovelite.runtime.interpreter import interpreter_version, list_interpreters

base = getattr(sys, "_MEIPASS", os.path.dirname(os.path.abspath(__file__)))
classifier = Classifier.load(os.path.join(base, "bundle"))
print(interpreter_version(), "|", *list_interpreters())
print(classifier.predict("a small wild bird")[0].label)
print(classifier.self_test().goldens, classifier.explain("a small bird").label)
"""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The paths of the sdist and the wheel, and of the wheel made of the sdist."""
    folder = tmp_path_factory.mktemp("distributions")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "sources", filter="data")
    (sources,) = (folder / "sources").iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "2", cwd=sources)
    return sdist, wheel, folder / "2" / wheel.name


def contents(wheel):
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_installs_glovelite_and_nothing_else(distributions):
    names = contents(distributions[1])
    tops = {name.partition("/")[0] for name in names}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"glovelite"}


def test_the_wheel_holds_every_tracked_file_of_the_packages(distributions):
    packages = ("runtime", "data", "evaluation", "scale", "train", "convert")
    tracked = run("git", "ls-files", *packages, cwd=ROOT).stdout.splitlines()
    expected = {f"glovelite/{path}" for path in tracked}
    expected |= {f"glovelite/{name}" for name in ("__init__.py", "py.typed", "sklearn.py")}
    assert {
        name for name in contents(distributions[1]) if name.startswith("glovelite/")
    } == expected


def test_the_wheel_of_the_sdist_is_the_same(distributions):
    _, wheel, second = distributions
    assert contents(second) == contents(wheel)


@pytest.mark.nightly
def test_a_program_packed_by_pyinstaller_runs_on_every_interpreter(distributions, tmp_path):
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    run(python, *PIP, distributions[1], "pyinstaller")
    (tmp_path / "app.py").write_text(APP, "utf-8")
    data = f"{LEGACY_BUNDLE}{os.pathsep}bundle"
    pack = ("-m", "PyInstaller", "--onedir", "--noconfirm", "--add-data", data, "app.py")
    run(python, *pack, cwd=tmp_path)
    program = tmp_path / "dist/app/app"
    shown = {}
    for name in ("", "numpy"):
        environment = {**os.environ, "GLOVELITE_INTERPRETER": name}
        lines = run(program, env=environment, cwd=DATA).stdout.splitlines()
        shown[name], labels = lines[0], lines[1:]
        assert labels == ["animal", "13 animal"]
    assert shown["numpy"].startswith("numpy engine")
    assert shown[""].endswith("| tflite-runtime numpy") or sys.version_info >= (3, 12)
