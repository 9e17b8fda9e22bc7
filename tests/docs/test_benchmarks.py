"""Benchmarks take minutes to hours, so tests only check that what they import is there.

What they import from `glovelite.scale` needs its extra, which is not in this environment.
"""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.docs.pages import ROOT

BENCH = ROOT / "bench"


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the modules of glovelite and the names that a file imports from them."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("glovelite"):
            for alias in node.names:
                yield node.module or "", alias.name


FOUND = {found for path in BENCH.rglob("*.py") for found in imports_of(path)}
IMPORTS = sorted(found for found in FOUND if not found[0].startswith("glovelite.scale"))


def shared_names() -> Iterator[tuple[Path, str]]:
    """Yield the files of benchmarks and the names that others import from them."""
    for path in BENCH.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bench."):
                file = BENCH.parent / (node.module or "").replace(".", "/")
                for alias in node.names:
                    yield file.with_suffix(".py"), alias.name


def defined_names(path: Path) -> Iterator[str]:
    """Yield the names that a file defines or imports."""
    for node in ast.parse(path.read_text("utf-8")).body:
        for part in ast.walk(node):
            if isinstance(part, (ast.FunctionDef, ast.ClassDef, ast.alias)):
                yield part.name
            elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id


@pytest.mark.parametrize(("path", "name"), sorted(set(shared_names())))
def test_a_name_that_benchmarks_share_exists(path: Path, name: str) -> None:
    assert name in set(defined_names(path))


@pytest.mark.parametrize(("module", "name"), IMPORTS)
def test_a_name_that_a_benchmark_imports_exists(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)
