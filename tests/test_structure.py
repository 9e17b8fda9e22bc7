"""The shape of the code: who may import whom, and what the documentation must name."""

import ast
import json
import re
import sys
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import glovelite
from glovelite.runtime.self_test import MAX_TOLERANCE
from tests.helpers import run

ROOT = Path(__file__).parent.parent
#: Package -> packages that it may import.
LAYERS = {
    "runtime": set(),
    "data": {"runtime"},
    "evaluation": {"runtime", "data"},
    "scale": {"runtime", "data", "evaluation"},
    "train": {"runtime", "data", "evaluation"},
    "convert": {"runtime", "data", "evaluation"},
}
OTHERS = ("bench", "tools", "tests")
#: What the runtime imports besides numpy, each where it is first needed.
OPTIONAL = {
    "runtime/http/server.py": {"h11"},
    "runtime/files/text_lines.py": {"charset_normalizer"},
    "runtime/files/table_reader.py": {"polars", "fastexcel"},
    "runtime/interpreter.py": {"tflite_runtime", "ai_edge_litert"},
}
MODULES = [path for package in LAYERS for path in sorted((ROOT / package).rglob("*.py"))]
SCRIPTS = [path for folder in OTHERS for path in sorted((ROOT / folder).rglob("*.py"))]
SCRIPTS = [path for path in SCRIPTS if "node_modules" not in path.parts]


def relative(path):
    return str(path.relative_to(ROOT))


def name_of(path):
    """Return a module's name as parts: `train/cli.py` -> `("train", "cli")`."""
    return path.relative_to(ROOT).with_suffix("").parts


NAMES = {name_of(path) for path in MODULES}


@cache
def imports(path):
    """Return what `find_imports` finds: several tests ask it of each module."""
    return tuple(find_imports(path))


def find_imports(path):
    """Yield the dotted names that a module imports, anywhere in its code, as parts."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            own = ("glovelite", *name_of(path))
            folder = own[: -node.level] if node.level else ()
            module = (*folder, *(node.module or "").split(".")) if node.module else folder
            yield from ((*module, alias.name) for alias in node.names)


def imported_modules(path):
    """Yield the names of glovelite's modules that a module imports."""
    for top, *parts in imports(path):
        if top != "glovelite":
            continue
        candidates = (tuple(parts), tuple(parts[:-1]))
        candidates += tuple((*candidate, "__init__") for candidate in candidates)
        yield from [candidate for candidate in candidates if candidate in NAMES][:1]


def find_cycle(imported):
    """Return a cycle between modules or folders, or None.

    In each folder its modules and subfolders are the nodes: an import is an edge between the two
    that hold its ends. So two folders never import each other, whatever module of them does.

    Args:
        imported: name of a module -> names of the modules that it imports.
    """
    graphs = defaultdict(lambda: defaultdict(set))
    for source, targets in imported.items():
        for target in targets - {source}:
            pairs = list(zip(source, target))
            shared = next(index for index, (one, other) in enumerate(pairs) if one != other)
            graphs[source[:shared]][source[shared]].add(target[shared])
    for folder, graph in graphs.items():
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            return folder, error.args[1]
    return None


def test_no_modules_and_no_folders_import_each_other_in_a_cycle():
    imported = {name_of(path): set(imported_modules(path)) for path in MODULES}
    assert sum(map(len, imported.values())) > len(MODULES)
    assert find_cycle(imported) is None


def test_a_cycle_between_folders_is_found_where_no_modules_form_one():
    imported = {("a", "b", "one"): {("a", "c", "two")}, ("a", "c", "three"): {("a", "b", "four")}}
    assert find_cycle(imported) is not None


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_packages_import_only_what_their_layer_may(path):
    package = name_of(path)[0]
    assert {name[0] for name in imported_modules(path)} <= LAYERS[package] | {package}


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=relative)
def test_imports_of_packages_name_glovelite(path):
    """In the checkout `import train` would find a second copy of the package."""
    code = path.read_text("utf-8")
    assert not {name[0] for name in imports(path)} & LAYERS.keys()
    assert not re.findall(rf"(?:from|import) (?:{'|'.join(LAYERS)})(?:\.\w+)* import", code)


def test_the_runtime_imports_only_the_standard_library_and_numpy():
    found = {}
    for path in (ROOT / "runtime").rglob("*.py"):
        third_party = {name[0] for name in imports(path)} - set(sys.stdlib_module_names)
        if third_party - {"glovelite", "numpy"}:
            found[relative(path)] = third_party - {"glovelite", "numpy"}
    assert found == OPTIONAL


LOADED = """
import json, sys
__import__(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        (
            "glovelite",
            {
                "argparse",
                "logging",
                "socket",
                "glovelite.runtime.http",
                "glovelite.runtime.explain",
            },
        ),
        ("glovelite", {"glovelite.runtime.files", "glovelite.data", "glovelite.evaluation"}),
        ("glovelite.train", {"tensorflow", "keras", "polars", "matplotlib", "scipy", "click"}),
        ("glovelite.train.cli", {"tensorflow", "keras", "polars", "matplotlib", "scipy", "ray"}),
        ("glovelite.runtime.files.records", {"polars", "fastexcel", "charset_normalizer"}),
        ("glovelite.convert", {"tensorflow", "keras", "matplotlib", "scipy", "click"}),
        ("glovelite.convert.cli", {"tensorflow", "keras", "matplotlib", "scipy"}),
        ("glovelite.sklearn", {"tensorflow", "keras", "polars", "matplotlib", "click"}),
        ("glovelite.convert.export", {"tensorflow", "keras", "matplotlib", "glovelite.train"}),
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
        "scale/scoring/cli.py",
        "scale/corpora/cli.py",
    ],
)
def test_every_command_documents_an_example(module):
    assert re.search(r"[Ee]xamples?:\n", (ROOT / module).read_text("utf-8"))


@pytest.mark.parametrize("name", ["glovelite", "glovelite.train", "glovelite.convert"])
def test_packages_agree_on_their_public_names(name):
    module = __import__(name, fromlist=["__all__"])
    assert module.__version__ == glovelite.__version__
    assert set(module.__all__) <= set(dir(module))
    assert all(hasattr(module, name) for name in module.__all__)


def test_the_package_is_typed():
    assert (ROOT / "src/glovelite/py.typed").exists()


def test_page_and_runtime_allow_the_same_difference_in_the_self_test():
    page = (ROOT / "convert/targets/web/page/self-test.js").read_text("utf-8")
    (tolerance,) = re.findall(r"^const MAX_TOLERANCE = ([\d.e-]+);", page, re.MULTILINE)
    assert float(tolerance) == MAX_TOLERANCE
