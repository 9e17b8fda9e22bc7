"""Runs functions in child processes, because TensorFlow's converter can crash its process.

The parent stays free of TensorFlow, whose libraries also clash with tflite-runtime's. A child that
dies becomes an error message with the signal's name and its last output.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar, cast

import glovelite
from glovelite.runtime.errors import ConversionError, GloveliteError
from glovelite.runtime.files.output import scratch_folder

ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")

#: Where the packages are, so that a child imports the same code as its parent.
ROOT = Path(glovelite.__file__).parent.parent


class _Child:
    """A process that runs functions one after another."""

    def __init__(self) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        self._held = contextlib.ExitStack()  # TensorFlow's temporary files, if it is killed
        scratch = self._held.enter_context(scratch_folder())
        self._process = subprocess.Popen(
            [sys.executable, "-m", "glovelite.convert.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**child_environment(), "TMPDIR": str(scratch)},
        )

    def run(self, function: Callable[..., ResultT], *arguments: Any, **options: Any) -> ResultT:
        """Run a function; raise its error, or ConversionError if the process dies."""
        try:
            pickle.dump((function, arguments, options), cast(BinaryIO, self._process.stdin))
            cast(BinaryIO, self._process.stdin).flush()
            result, error = pickle.load(cast(BinaryIO, self._process.stdout))
        except (OSError, EOFError, pickle.UnpicklingError):
            reason = _describe_exit(self._process.wait())
            raise ConversionError(f"the converter {reason}: {self._last_output()}") from None
        if error is not None:
            raise error
        return cast(ResultT, result)

    @property
    def is_alive(self) -> bool:
        """Whether the process can run another function."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._stderr.close()
        self._held.close()

    def _last_output(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").splitlines()
        lines = [line.strip() for line in lines if line.strip()]
        return lines[-1][:300] if lines else "it printed nothing"


#: Idle children that `worker_pool` keeps; None outside of it.
_idle_children: list[_Child] | None = None


@contextlib.contextmanager
def worker_pool() -> Iterator[None]:
    """Keep child processes alive between calls of `run_in_child`, from any thread.

    Importing TensorFlow costs each process about 5 s of CPU time.
    """
    global _idle_children
    if _idle_children is not None:  # nested: the outer pool stays
        yield
        return
    _idle_children = []
    try:
        yield
    finally:
        children, _idle_children = _idle_children, None
        for child in children:
            child.close()


def run_in_child(
    function: Callable[ParametersT, ResultT],
    *arguments: ParametersT.args,
    **options: ParametersT.kwargs,
) -> ResultT:
    """Call a module-level function in a child process; arguments and result are pickled.

    Modules that need TensorFlow are imported inside the function.

    Raises:
        GloveliteError: the function raised it.
        ConversionError: it raised anything else, or the process died.
    """
    child = _take_child()
    try:
        return child.run(function, *arguments, **options)
    finally:
        if _idle_children is not None and child.is_alive:
            _idle_children.append(child)
        else:
            child.close()


def _take_child() -> _Child:
    if _idle_children:
        with contextlib.suppress(IndexError):  # another thread took it
            child = _idle_children.pop()
            if child.is_alive:
                return child
            child.close()
    return _Child()


def child_environment() -> dict[str, str]:
    """Return the environment of a child process: our code first, TensorFlow's logs off."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def main() -> None:
    """Run the functions that arrive on standard input until it is closed."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with the results
    while True:
        try:
            function, arguments, options = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        result: Any = None
        failure: GloveliteError | None = None
        try:
            result = function(*arguments, **options)
        except GloveliteError as error:
            failure = error
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            failure = ConversionError(f"the converter failed: {reason:.400}")
        pickle.dump((result, failure), results)
        results.flush()


def _describe_exit(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"exited with status {status}"


if __name__ == "__main__":
    from glovelite.convert.worker import main as run_main  # not __main__: pickles name it

    run_main()
