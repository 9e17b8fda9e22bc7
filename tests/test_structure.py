"""The shape of the code: who may import whom, and what the documentation must name."""

import ast
import json
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from helpers import run

from runtime.self_test import DEFAULT_TOLERANCE, TOLERANCES

ROOT = Path(__file__).parent.parent
PACKAGES = ("runtime", "train", "convert")
FORBIDDEN = {"runtime": {"train", "convert"}, "convert": {"train"}, "train": {"convert"}}
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
SCRIPTS = [path for folder in ("bench", "tools") for path in (ROOT / folder).rglob("*.py")]
FOLDERS = sorted({path.parent for path in (*MODULES, *SCRIPTS)})
MAX_MODULES = 12  # of a folder, without `__init__` and `__main__`


def relative(path):
    return str(path.relative_to(ROOT))


def imported_packages(path):
    """Yield the top-level names that a module imports, anywhere in its code."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def imported_modules(path):
    """Yield the modules of the same package that a module imports, anywhere in its code."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            target = folder.joinpath(*(node.module or "").split(".")).with_suffix(".py")
            names = [target] if node.module else []
            names += [target.with_suffix("") / f"{alias.name}.py" for alias in node.names]
            yield from (name for name in names if name in MODULES)


def test_no_modules_import_each_other_in_a_cycle():
    graph = {path: set(imported_modules(path)) for path in MODULES}
    assert any(graph.values())
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_packages_import_only_what_their_stage_may(path):
    package = relative(path).partition("/")[0]
    assert not set(imported_packages(path)) & FORBIDDEN[package]


def test_runtime_imports_only_the_standard_library_and_numpy():
    """The interpreter is found by name; the others are optional and imported when needed.

    `runtime/evaluation` is for `train` and `convert`, whose extras install scipy and matplotlib.
    """
    names = {}
    for path in (ROOT / "runtime").rglob("*.py"):
        third_party = set(imported_packages(path)) - set(sys.stdlib_module_names)
        if third_party:
            names[relative(path)] = third_party
    assert names.pop("runtime/http/waitress_server.py") == {"waitress"}
    assert names.pop("runtime/io/files/encodings.py") == {"charset_normalizer"}
    assert names.pop("runtime/io/files/binary_tables.py") == {"polars", "fastexcel"}
    evaluation = {path for path in names if path.startswith("runtime/evaluation/")}
    assert set().union(*map(names.pop, evaluation)) == {"numpy", "scipy", "matplotlib"}
    scale = {path for path in names if path.startswith("runtime/scale/")}
    assert set().union(*map(names.pop, scale)) == {"click", "pyarrow", "ray", "tqdm"}
    assert set().union(*names.values()) == {"numpy"}


def test_nothing_imports_what_runs_on_ray_but_the_search_that_was_asked_to():
    scale = {path for path in MODULES if path.parent.name == "scale"}
    importing = {path for path in MODULES if set(imported_modules(path)) & scale}
    assert {relative(path.parent) for path in scale} == {"runtime/scale", "train/scale"}
    assert {relative(path) for path in importing - scale} == {"train/trainer.py"}
    packages = [path for path in MODULES if "from runtime.scale" in path.read_text("utf-8")]
    assert {relative(path.parent) for path in packages} == {"train/scale"}


@pytest.mark.parametrize("folder", FOLDERS, ids=relative)
def test_a_folder_has_about_a_dozen_modules_at_most(folder):
    modules = [path for path in folder.glob("*.py") if not path.name.startswith("__")]
    assert len(modules) <= MAX_MODULES


LOADED = """
import json, sys
__import__(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("runtime", {"runtime.io", "runtime.http", "runtime.explain", "argparse", "socket"}),
        ("train", {"tensorflow", "keras", "polars", "matplotlib", "scipy", "click"}),
        ("train.cli", {"tensorflow", "keras", "polars", "matplotlib", "scipy"}),
        ("runtime.io.records", {"polars", "fastexcel", "charset_normalizer"}),
        ("convert", {"tensorflow", "keras", "matplotlib", "scipy", "click", "train"}),
        ("convert.cli", {"tensorflow", "keras", "matplotlib", "scipy", "train"}),
        ("convert.export", {"tensorflow", "keras", "matplotlib", "train"}),
    ],
)
def test_an_import_loads_no_more_than_it_needs(module, unwanted):
    done = run(sys.executable, "-c", LOADED, module, cwd=ROOT)
    assert not set(json.loads(done.stdout)) & unwanted


@pytest.mark.parametrize(
    "module",
    [
        "runtime/cli/main.py",
        "train/cli.py",
        "convert/cli.py",
        "runtime/scale/cli.py",
        "train/scale/corpus_cli.py",
    ],
)
def test_every_command_documents_an_example(module):
    assert re.search(r"[Ee]xamples?:\n", (ROOT / module).read_text("utf-8"))


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed_and_agree_on_their_public_names(package):
    assert (ROOT / package / "py.typed").exists()
    module = __import__(package)
    assert module.__version__
    assert set(module.__all__) <= set(dir(module))
    assert all(hasattr(module, name) for name in module.__all__)


def test_page_and_runtime_have_the_same_self_test_tolerances():
    page = (ROOT / "convert/targets/web/page/classifier.js").read_text("utf-8")
    (entries,) = re.findall(r"^const TOLERANCES = \{(.*?)\};", page, re.MULTILINE | re.DOTALL)
    tolerances = dict(re.findall(r"(\w+): ([\d.e-]+)", entries))
    assert {name: float(value) for name, value in tolerances.items()} == TOLERANCES
    (default,) = re.findall(r"^const DEFAULT_TOLERANCE = ([\d.e-]+);", page, re.MULTILINE)
    assert float(default) == DEFAULT_TOLERANCE
