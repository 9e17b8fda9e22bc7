"""Environments of every CPython here, with every interpreter and numpy that goes with it.

Used by `test_runtime_pythons.py`. Environments are kept in `.venv-pythons`, keyed by what is in
them; the wheel is installed anew each time.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEPT = ROOT / ".venv-pythons"
MINORS = range(9, 15)  # of Python 3
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True)
class Surroundings:
    """What a device may have: a minor version of Python, an interpreter, a numpy."""

    minor: int
    interpreter: str
    numpy: int

    @property
    def name(self) -> str:
        """Such as `python3.11-tflite-runtime-numpy1`."""
        return f"python3.{self.minor}-{self.interpreter}-numpy{self.numpy}"

    @property
    def markers_choose_it(self) -> bool:
        """Whether `pip install glovelite` gives it, with nothing said of either."""
        return (self.interpreter == "tflite-runtime") == (self.minor < 12) and (
            self.numpy == 1 if self.minor < 12 else self.numpy == 2
        )

    @property
    def requirements(self) -> list[str]:
        """What pip is asked for, beside the wheel."""
        numpy = "numpy<2" if self.numpy == 1 else "numpy>=2"
        return [self.interpreter, numpy]


def list_surroundings() -> list[Surroundings]:
    """Give all that have wheels: 2.14 was built against numpy 1 and ends with Python 3.11."""
    found = []
    for minor in MINORS:
        if minor < 12:
            found.append(Surroundings(minor, "tflite-runtime", 1))
        found += [Surroundings(minor, "ai-edge-litert", 1)] if minor < 13 else []
        found.append(Surroundings(minor, "ai-edge-litert", 2))
    return found


def find_python(minor: int) -> str | None:
    """Find a Python 3 of a minor version: this one, one on PATH, one of pyenv's; None if none."""
    if sys.version_info[:2] == (3, minor):
        return sys.executable
    name = f"python3.{minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [shutil.which(name), *sorted(pyenv.glob(f"3.{minor}.*/bin/{name}"), reverse=True)]
    for place in filter(None, places):
        answer = subprocess.run(
            [place, "-c", "import venv, ensurepip, sys; print(sys.version_info[1])"],
            capture_output=True,
            text=True,
        )
        if answer.stdout.strip() == str(minor):  # not a shim that answers for another
            return str(place)
    return None


def make_environment(surroundings: Surroundings, python: str, wheel: Path) -> Path:
    """Make the environment, or take the one that is kept; install the wheel; give its Python."""
    folder = KEPT / surroundings.name
    inside, ready = folder / "bin" / "python", folder / "ready"
    environment = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}

    def pip(*arguments: object) -> None:
        command = [str(inside), *PIP, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise RuntimeError(f"{surroundings.name}: {done.stderr.strip()}")

    if not ready.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True, env=environment)
        asked = [wheel] if surroundings.markers_choose_it else surroundings.requirements
        pip("install", "--no-compile", *asked)
        ready.touch()
    pip("install", "--no-compile", "--force-reinstall", "--no-deps", wheel)
    return inside
