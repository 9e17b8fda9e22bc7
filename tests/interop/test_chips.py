"""The C engine on other processors, and in programs of other languages: `make test-chips`."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from glovelite.convert.targets.c_engine import write_c_engine
from tests.helpers import ROOT
from tools.platforms.chips import (
    BIG_ENDIAN,
    PROCESSORS,
    compile_for_chip,
    has_chip,
    measure_on_chip,
    run_on_chip,
)

pytestmark = pytest.mark.skipif(not os.environ.get("GLOVELITE_CHIPS"), reason="make test-chips")
WORDS = ("--listed-words", "2000", "--hashed-words", "3000")
MAX_MODEL_BYTES, MAX_MEMORY_BYTES, MAX_CODE_BYTES = 300_000, 16_000, 40_000
LATIN = "-DGLOVELITE_LATIN"
CRATES = Path("/usr/share/cargo/registry")  # Debian's package librust-cc-dev
TEXT = "a large bird that eats fish"


@pytest.fixture(scope="session", autouse=True)
def _workers(_conversion_workers):
    pass


@pytest.fixture(scope="module")
def source(exported, tmp_path_factory):
    """A function that writes the engine and a model of 32 filters to a new folder."""
    bundle = exported("glosses", *WORDS, "--no-gate")

    def write():
        folder = tmp_path_factory.mktemp("chip") / "c"
        write_c_engine(bundle, folder)
        return folder

    return write


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: processor.name)
def test_golden_texts_on_other_processors(source, processor):
    if not processor.available:
        pytest.skip(f"{processor.compiler} or {processor.emulator} is not installed")
    done = processor.run(source())
    assert done.returncode == 0, done.stdout


def test_a_big_endian_processor_is_refused(source):
    if not BIG_ENDIAN.available:
        pytest.skip(f"{BIG_ENDIAN.compiler} or {BIG_ENDIAN.emulator} is not installed")
    done = BIG_ENDIAN.run(source())
    assert (done.returncode, "big-endian" in done.stdout) == (1, True)


@pytest.mark.skipif(not has_chip(), reason="no compiler or emulator of the chip is installed")
class TestWithoutOperatingSystem:
    def test_golden_texts(self, source):
        folder = source()
        done = run_on_chip(compile_for_chip(folder, folder / "test.c"))
        assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize("options", [(), (LATIN,)], ids=["all letters", "Latin"])
    def test_memory_and_code_are_small(self, source, options):
        folder = source()
        usage = measure_on_chip(folder, *options)
        assert (folder / "model.bin").stat().st_size < MAX_MODEL_BYTES
        assert usage.memory + usage.stack <= MAX_MEMORY_BYTES
        assert usage.code <= MAX_CODE_BYTES


def _example(language):
    """Return the code of a language in the guide."""
    page = (ROOT / "docs" / "c.md").read_text("utf-8")
    return re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1]


def _run(command, folder, **variables):
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, **variables}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _require(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


class TestExamples:
    """The programs of docs/c.md print the label of the C program."""

    @pytest.fixture
    def folder(self, source):
        _require("cc", "make")
        return source()

    @pytest.fixture
    def expected(self, folder):
        _run(["make"], folder)
        return _run(["./classify", TEXT], folder).split()[0]

    def test_cpp(self, folder, expected):
        _require("g++")
        (folder / "example.cpp").write_text(_example("cpp"), "utf-8")
        objects = ["glovelite.o", "model.o"]
        command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "example.cpp", *objects]
        _run([*command, "-lm", "-o", "example"], folder)
        assert _run(["./example", TEXT], folder).split()[0] == expected

    def test_rust(self, folder, expected, tmp_path):
        _require("cargo")
        if not any(CRATES.glob("cc-*")):
            pytest.skip("librust-cc-dev is not installed")
        for name, language in (
            ("Cargo.toml", "toml"),
            ("build.rs", "rust build"),
            ("src/main.rs", "rust"),
        ):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(_example(language), "utf-8")
        shutil.copytree(folder, tmp_path / "c")
        settings = tmp_path / ".cargo" / "config.toml"
        settings.parent.mkdir()
        settings.write_text(
            '[source.crates-io]\nreplace-with = "debian"\n'
            f'[source.debian]\ndirectory = "{CRATES}"\n'
        )
        command = ["cargo", "run", "--quiet", "--offline", "--", TEXT]
        assert _run(command, tmp_path).split()[0] == expected

    def test_go(self, folder, expected, tmp_path):
        _require("go")
        for name in ("glovelite.h", "glovelite.c", "glovelite_tables.h", "model.h", "model.c"):
            shutil.copy(folder / name, tmp_path)
        (tmp_path / "main.go").write_text(_example("go"), "utf-8")
        (tmp_path / "go.mod").write_text("module example\n\ngo 1.19\n")
        cache = {"GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-mod=mod"}
        assert _run(["go", "run", ".", TEXT], tmp_path, **cache).split()[0] == expected
