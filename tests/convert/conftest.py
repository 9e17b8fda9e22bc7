"""All conversions of these tests share their child processes."""

import pytest

from tests.c_engine import SANITIZED, build, can_sanitize, find_compiler
from tests.helpers import ALL_DIMENSIONS, convert


@pytest.fixture(scope="session", autouse=True)
def _workers(_conversion_workers):
    pass


@pytest.fixture(scope="session")
def integer_bundle(run_folder, tmp_path_factory):
    """A bundle of integers alone, with C, and what its export printed."""
    folder = tmp_path_factory.mktemp("integers") / "bundle"
    options = ("--quantize", "int8", "--integer-output", "--emit-c", *ALL_DIMENSIONS)
    return folder, convert("export", run_folder, "--out", folder, *options).stdout


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """A function from the name of a program of tests/c to its path; with sanitizers if possible."""
    compiler, folder = find_compiler(), tmp_path_factory.mktemp("c")
    sanitizers = SANITIZED if can_sanitize(compiler, folder) else ()
    return build(compiler, folder, "-O1", *sanitizers)
