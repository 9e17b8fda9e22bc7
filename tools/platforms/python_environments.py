"""Virtual environments for every CPython, interpreter and numpy that can be combined here.

Used by `tests/interop/test_python_versions.py`. Environments are cached in `.venv-pythons`, keyed
by their content; the wheel is reinstalled each time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".venv-pythons"
LITERT = "ai-edge-litert"
MINOR_VERSIONS = range(9, 15)  # of Python 3
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True)
class Environment:
    """A minor version of Python 3, an interpreter and a major version of numpy."""

    python_minor: int
    interpreter: str
    numpy_major: int

    @property
    def name(self) -> str:
        """Such as `python3.11-tflite-runtime-numpy1`."""
        return f"python3.{self.python_minor}-{self.interpreter}-numpy{self.numpy_major}"

    @property
    def is_default(self) -> bool:
        """Whether `pip install glovelite` resolves to it on x86-64 without further constraints."""
        default = ("tflite-runtime", 1) if self.python_minor < 12 else ("numpy", 2)
        return (self.interpreter, self.numpy_major) == default

    @property
    def is_extra(self) -> bool:
        """Whether `pip install glovelite[litert]` resolves to it in the same way."""
        return self.python_minor >= 12 and (self.interpreter, self.numpy_major) == (LITERT, 2)

    def requirements(self, wheel: Path) -> list[str]:
        """Return what pip installs: the wheel, or what it shall find instead of its defaults."""
        if self.is_default or self.is_extra:
            return [f"{wheel}[litert]" if self.is_extra else str(wheel)]
        interpreters = [] if self.interpreter == "numpy" else [self.interpreter]
        return [*interpreters, "numpy<2" if self.numpy_major == 1 else "numpy>=2"]


def list_environments() -> list[Environment]:
    """List all combinations with wheels: 2.14 needs numpy 1 and Python 3.11 or older.

    The interpreter "numpy" is none: the runtime's own engine.
    """
    environments = []
    for minor in MINOR_VERSIONS:
        if minor < 12:
            environments.append(Environment(minor, "tflite-runtime", 1))
        if minor < 13:
            environments.append(Environment(minor, LITERT, 1))
        environments.append(Environment(minor, LITERT, 2))
        environments += [
            Environment(minor, "numpy", numpy) for numpy in ((1, 2) if minor < 13 else (2,))
        ]
    return environments


def find_python(minor: int) -> str | None:
    """Find a Python 3 of a minor version: this one, one on PATH or one of pyenv's."""
    if sys.version_info[:2] == (3, minor):
        return sys.executable
    name = f"python3.{minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(name), *sorted(pyenv.glob(f"3.{minor}.*/bin/{name}"), reverse=True)]
    for candidate in filter(None, candidates):
        done = subprocess.run(
            [candidate, "-c", "import venv, ensurepip, sys; print(sys.version_info[1])"],
            capture_output=True,
            text=True,
        )
        if done.stdout.strip() == str(minor):  # not a shim that runs another version
            return str(candidate)
    return None


def make_environment(environment: Environment, python: str, wheel: Path) -> Path:
    """Create the environment, or reuse the cached one; install the wheel; return its Python."""
    folder = CACHE / environment.name
    own_python, ready = folder / "bin" / "python", folder / "ready"
    variables = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}

    def pip(*arguments: object) -> None:
        command = [str(own_python), *PIP, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=variables)
        if done.returncode:
            raise RuntimeError(f"{environment.name}: {done.stderr.strip()}")

    if not ready.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True, env=variables)
        pip("install", "--no-compile", *environment.requirements(wheel))
        ready.touch()
    pip("install", "--no-compile", "--force-reinstall", "--no-deps", wheel)
    return own_python
