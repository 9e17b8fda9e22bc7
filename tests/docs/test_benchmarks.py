"""Benchmarks take minutes to hours, so tests only check that what they import is there.

What they import from `glovelite.scale` needs its extra, which is not in this environment.
"""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the modules of glovelite and the names that a file imports from them."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("glovelite"):
            for alias in node.names:
                yield node.module or "", alias.name


FOUND = {found for path in BENCH.rglob("*.py") for found in imports_of(path)}
IMPORTS = sorted(found for found in FOUND if not found[0].startswith("glovelite.scale"))


@pytest.mark.parametrize(("module", "name"), IMPORTS)
def test_a_name_that_a_benchmark_imports_exists(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)
