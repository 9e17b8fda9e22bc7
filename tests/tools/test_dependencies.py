"""What `pip install` brings beside the runtime, on each platform."""

import pytest
from packaging.requirements import Requirement

from tests.helpers import ROOT

tomllib = pytest.importorskip("tomllib", reason="part of Python 3.11 and newer")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def required(requirements, python, system, machine):
    environment = {
        "python_version": python,
        "sys_platform": system,
        "platform_machine": machine,
    }
    parsed = map(Requirement, requirements)
    return {
        requirement.name
        for requirement in parsed
        if not requirement.marker or requirement.marker.evaluate(environment)
    }


@pytest.mark.parametrize(
    ("python", "system", "machine", "interpreters"),
    [
        ("3.9", "linux", "aarch64", {"tflite-runtime"}),
        ("3.11", "linux", "armv7l", {"tflite-runtime"}),
        ("3.11", "linux", "riscv64", set()),
        ("3.12", "linux", "x86_64", set()),
        ("3.13", "linux", "aarch64", set()),  # also a 32-bit Python on a 64-bit kernel
        ("3.13", "linux", "armv7l", set()),
        ("3.13", "darwin", "arm64", {"ai-edge-litert"}),
        ("3.13", "darwin", "x86_64", set()),
        ("3.13", "win32", "AMD64", {"ai-edge-litert"}),
    ],
)
def test_an_interpreter_is_required_only_where_it_has_a_wheel(
    python, system, machine, interpreters
):
    names = required(PROJECT["dependencies"], python, system, machine)
    assert names == {"numpy", *interpreters}


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_export_has_an_interpreter_to_measure_on(python):
    requirements = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["convert"]
    names = required(requirements, python, "linux", "x86_64")
    assert names & {"tflite-runtime", "ai-edge-litert"}
