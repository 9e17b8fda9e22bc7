"""The shape of the house: who may import whom, and how the rooms are kept."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STAGES = ("runtime", "train", "convert")
MAY_NOT = {"runtime": {"train", "convert"}, "convert": {"train"}, "train": {"convert"}}
MODULES = [path for stage in STAGES for path in sorted((ROOT / stage).rglob("*.py"))]


def imported(path):
    """Top-level names a module imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_stages_meet_through_files(path):
    assert not set(imported(path)) & MAY_NOT[path.parent.name]


def test_the_device_needs_numpy_and_an_interpreter():
    import sys

    runtime = [path for path in MODULES if path.parent.name == "runtime"]
    server = ROOT / "runtime" / "listener.py"  # loaded by --serve alone
    names = {name for path in runtime if path != server for name in imported(path)}
    assert names - set(sys.stdlib_module_names) == {"numpy"}  # the interpreter is found by name
    assert set(imported(server)) - set(sys.stdlib_module_names) == {"waitress"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_module_is_a_room_one_can_see_across(path):
    assert len(path.read_text("utf-8").splitlines()) <= 250


def test_every_command_has_an_example():
    for path in (ROOT / "train/cli.py", ROOT / "convert/cli.py", ROOT / "runtime/cli.py"):
        assert re.search(r"[Ee]xamples?:\n", path.read_text("utf-8")), path


def test_the_readme_names_every_make_target():
    targets = re.findall(r"^([a-z-]+):[^#\n]*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    readme = (ROOT / "README.md").read_text("utf-8")
    assert targets
    assert [name for name in targets if f"make {name}" not in readme] == []
