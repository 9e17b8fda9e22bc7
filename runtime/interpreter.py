"""Finds the TFLite interpreter of this machine, and runs a model on inputs of any length.

`ai-edge-litert` is never slower than `tflite-runtime`, whose successor it is, and up to five times
as fast on full-integer models; where neither is installed, our own engine in numpy runs the model.
All offer the same `Interpreter` class; only this module knows that there are several.
"""

from __future__ import annotations

import contextlib
import ctypes  # already imported by numpy
import io
import os
import sys
import weakref
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from .aliases import Floats
from .errors import BundleDamagedError, InterpreterError
from .native_logs import hide_native_logs

LITERT, TFLITE_RUNTIME, NUMPY_ENGINE = "ai-edge-litert", "tflite-runtime", "numpy"
VARIABLE = "GLOVELITE_INTERPRETER"  # of the environment: the interpreter to use
#: Name -> package that must be installed, in order of preference. The last is our own engine.
INTERPRETERS = {LITERT: "ai_edge_litert", TFLITE_RUNTIME: "tflite_runtime", NUMPY_ENGINE: "numpy"}
#: A model whose output is its input, to try an interpreter with.
_TRIAL_MODEL = bytes.fromhex(
    "1800000054464c3300000e00140010000c000800000004000e00000014000000200000000800000003000000"
    "000000000100000008000000040004000400000001000000100000000c00140010000c00080004000c000000"
    "10000000100000000c00000010000000000000000100000000000000010000000c00000008000c0008000700"
    "0800000000000002040000000100000001000000"
)

# Input lengths that texts are padded to. The steps are fine where texts are short, so that a tweet
# does not cost as much as a page.
BUCKET_LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
LONG_BUCKET_STEP = 512  # beyond the last bucket
# Up to this length each bucket keeps its interpreters: resizing takes 10 µs on LiteRT but 50 to 250
# on tflite-runtime, the first inference included. Longer ones would hold a megabyte each.
MAX_DEDICATED_LENGTH = 256
# What the interpreters raise for a model that they cannot load or run.
INTERPRETER_ERRORS = (
    ValueError,
    RuntimeError,
    TypeError,
    IndexError,
    AttributeError,
    MemoryError,
)


def list_interpreters() -> list[str]:
    """Return the names of the interpreters that are installed, the fastest first."""
    from importlib.util import find_spec  # imported late, like `metadata` below

    return [name for name, package in INTERPRETERS.items() if find_spec(package)]


def find_interpreter() -> tuple[str, Any]:
    """Find the interpreter to use.

    The environment variable `GLOVELITE_INTERPRETER` selects one of `INTERPRETERS`. One that cannot
    run here is skipped with a warning. In a process that has loaded TensorFlow tflite-runtime is
    not used: its library and TensorFlow's clash and crash the process.

    Returns:
        Its name and its `Interpreter` class.

    Raises:
        InterpreterError: the selected one is unknown, not installed or cannot run here, or is
            tflite-runtime in a process that has loaded TensorFlow.
    """
    selected = os.environ.get(VARIABLE)
    if selected and selected not in INTERPRETERS:
        raise InterpreterError(f"{VARIABLE} is {selected!r}: use one of {', '.join(INTERPRETERS)}")
    candidates = [selected] if selected else list(INTERPRETERS)
    if "tensorflow" in sys.modules and TFLITE_RUNTIME in candidates:
        candidates.remove(TFLITE_RUNTIME)
        if not candidates:
            raise InterpreterError(
                "TensorFlow is loaded in this process and cannot share it with tflite-runtime: "
                f"pip install {LITERT}, and unset {VARIABLE}"
            )
    for name in candidates:
        interpreter, problem = _try_interpreter(name)
        if interpreter is not None:
            return name, interpreter
        if problem and selected:
            raise InterpreterError(f"{problem}, or unset {VARIABLE}")
        if problem:
            _warn_once(f"interpreter skipped: {problem}")
    raise InterpreterError(
        f"{selected} is not installed: pip install {selected}, or unset {VARIABLE}"
    )


def interpreter_problem(name: str) -> str | None:
    """Return why an interpreter that is installed cannot run here, and the cure; None if it can."""
    return _try_interpreter(name)[1]


def interpreter_version(name: str | None = None) -> str:
    """Return name and version of an interpreter.

    Args:
        name: its name; None for the one in use.

    Returns:
        `"tflite-runtime 2.14.0"`, or `"numpy engine (numpy 1.26.4)"`.

    Raises:
        InterpreterError: the selected one is not installed.
    """
    from importlib import metadata  # imported late: it takes 10 ms that most programs do not need

    name = name or find_interpreter()[0]
    if name == NUMPY_ENGINE:
        return f"numpy engine (numpy {np.__version__})"
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:  # packed into a program without its metadata
        return f"{name} of unknown version"


@cache
def _try_interpreter(name: str) -> tuple[Any, str | None]:
    """Return an interpreter's class, or None and why it cannot run if it is installed.

    tflite-runtime 2.14 is built against numpy 1 and looks for it only when it gets a model.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # numpy writes a page about its versions
            interpreter = _import_interpreter(name)
            if name != NUMPY_ENGINE:
                interpreter(model_content=_TRIAL_MODEL)
    except (ImportError, SystemError, *INTERPRETER_ERRORS) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == INTERPRETERS[name]:
            return None, None
        return None, _describe_problem(name, error)
    return interpreter, None


def _describe_problem(name: str, error: Exception) -> str:
    version = interpreter_version(name)
    reason = _one_line(error.__cause__ or error)
    if "numpy" not in reason:
        return f"{version} is installed but broken ({reason}): pip install --force-reinstall {name}"
    cures = [] if LITERT in list_interpreters() else [LITERT]
    cures.append("'numpy<2'" if name == TFLITE_RUNTIME else f"--upgrade {name}")
    return f"{version} does not run with numpy {np.__version__}: pip install {', or '.join(cures)}"


@cache
def _warn_once(line: str) -> None:
    import logging  # imported late: it takes milliseconds

    logging.getLogger(__name__).warning(line)


def _import_interpreter(name: str) -> Any:
    """Return an interpreter's class.

    The imports are written out, so that tools that pack programs (PyInstaller) see them.
    """
    if name == LITERT:
        from ai_edge_litert import interpreter as litert

        return litert.Interpreter
    if name == TFLITE_RUNTIME:
        from tflite_runtime import interpreter as tflite

        return tflite.Interpreter
    from .numpy_engine.interpreter import Interpreter

    return Interpreter


class TFLiteModel:
    """A flatbuffer that runs on inputs of any length.

    A pool of interpreters shares one copy of the flatbuffer; it grows to as many as threads have
    needed at once. Each short bucket length has its own interpreters. Longer lengths share theirs,
    which are resized when the length changes, so that the memory of a long input is held once. A
    forked process creates its own interpreters, because inherited ones may be in use by a thread
    that does not exist there.

    tflite-runtime 2.14 outputs noise when an interpreter with float16 constants is resized a second
    time (it expands them once, into memory that the next resizing frees), so there every length has
    its own interpreters. The numpy engine resizes at no cost: one interpreter a thread runs every
    text at its own length.
    """

    def __init__(self, content: bytes, fixed_length: int | None, threads: int = 1) -> None:
        """Find the interpreter; the first run proves that it accepts the flatbuffer.

        Args:
            fixed_length: the only input length of the model, or None if it takes any.

        Raises:
            InterpreterError: the selected interpreter is not installed.
        """
        self._content = content
        self._fixed_length = fixed_length
        self._can_share: bool | None = None  # known once there is an interpreter
        self._closed = False
        self._threads = min(threads, os.cpu_count() or 1)  # thousands would stall the machine
        self._name, self._interpreter_class = find_interpreter()
        self._max_dedicated_length = 0 if self._name == NUMPY_ENGINE else MAX_DEDICATED_LENGTH
        self.discard_interpreters()
        _LIVE_MODELS.add(self)

    def run(self, ids: Sequence[int], trailing_padding: int) -> Floats:
        """Run the model on one text.

        Args:
            ids: token ids without padding.
            trailing_padding: minimum number of padding ids after them.

        Returns:
            The model's output, float32 [outputs].

        Raises:
            InterpreterError: the interpreter rejects the model or fails.
            BundleDamagedError: the model's input or output type is not a classifier's.
        """
        length = self._bucket_length(len(ids) + trailing_padding)
        shared = length > self._max_dedicated_length and self._can_share
        idle = self._idle.setdefault(0 if shared else length, [])
        try:
            interpreter = idle.pop()  # no other thread uses it until it is returned
        except IndexError:
            interpreter = self._create_interpreter()
        output = interpreter.run(ids, length)
        idle.append(interpreter)  # one that failed is not used again
        return output

    def discard_interpreters(self) -> None:
        """Forget all idle interpreters."""
        self._idle: dict[int, list[_PooledInterpreter]] = {}

    def close(self) -> None:
        """Free the interpreters; inferences that are running in other threads still finish."""
        self._closed = True
        self.discard_interpreters()

    def _bucket_length(self, min_length: int) -> int:
        if self._fixed_length is not None:
            return self._fixed_length
        if not self._max_dedicated_length:
            return min_length
        if min_length <= BUCKET_LENGTHS[-1]:
            return BUCKET_LENGTHS[bisect_left(BUCKET_LENGTHS, min_length)]
        return -(-min_length // LONG_BUCKET_STEP) * LONG_BUCKET_STEP

    def _create_interpreter(self) -> _PooledInterpreter:
        if self._closed:
            raise InterpreterError("the classifier is closed: load the bundle again")
        try:
            interpreter = self._interpreter_class(
                model_content=self._content, num_threads=self._threads
            )
            input_ = interpreter.get_input_details()[0]
            output = interpreter.get_output_details()[0]
            if self._can_share is None:
                types = {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
                self._can_share = self._name != TFLITE_RUNTIME or np.float16 not in types
        except INTERPRETER_ERRORS as error:
            raise InterpreterError(f"{self._name} rejects the model: {_one_line(error)}") from error
        if input_["dtype"] != np.int32 or output["dtype"] not in (np.float32, np.int8):
            raise BundleDamagedError(
                "expected a model with int32 input and float32 or int8 output, found "
                f"{np.dtype(input_['dtype'])} and {np.dtype(output['dtype'])}"
            )
        return _PooledInterpreter(
            interpreter, input_["index"], output, resizable=self._fixed_length is None
        )


class _PooledInterpreter:
    """One interpreter, used by one thread at a time."""

    def __init__(
        self, interpreter: Any, input_index: int, output: dict[str, Any], resizable: bool
    ) -> None:
        self._interpreter, self._resizable = interpreter, resizable
        self._input_index, self._output_index = input_index, output["index"]
        self._scale, self._zero_point = output["quantization"]  # 0, 0 for float32
        self._length = self._used = 0

    def run(self, ids: Sequence[int], length: int) -> Floats:
        if length != self._length:
            self._allocate(length)
        count = len(ids)
        self._row[:count] = ids
        if count < self._used:
            self._row[count : self._used] = 0
        self._used = count
        try:
            self._interpreter.set_tensor(self._input_index, self._ids)
            self._interpreter.invoke()
            output: Floats = self._interpreter.get_tensor(self._output_index)[0]
        except INTERPRETER_ERRORS as error:
            raise InterpreterError(f"inference failed: {_one_line(error)}") from error
        if self._scale:
            output = (output.astype(np.float32) - self._zero_point) * np.float32(self._scale)
        return output

    def _allocate(self, length: int) -> None:
        try:
            with _hide_first_logs():
                if self._resizable:
                    self._interpreter.resize_tensor_input(self._input_index, [1, length])
                self._interpreter.allocate_tensors()
        except INTERPRETER_ERRORS as error:
            raise InterpreterError(
                f"the interpreter rejects the model: {_one_line(error)}"
            ) from error
        self._ids = np.zeros((1, length), np.int32)
        self._row, self._length, self._used = self._ids[0], length, 0


_has_allocated = False


def _hide_first_logs() -> contextlib.AbstractContextManager[None]:
    """Hide what LiteRT logs once in a process: `INFO: Created TensorFlow Lite XNNPACK delegate`."""
    global _has_allocated
    if _has_allocated:
        return contextlib.nullcontext()
    _has_allocated = True
    return hide_native_logs()


_LIVE_MODELS: weakref.WeakSet[TFLiteModel] = weakref.WeakSet()


def _replace_interpreters_in_child() -> None:
    for model in _LIVE_MODELS:
        # Leaked on purpose: freeing an inherited interpreter joins threads that do not exist in
        # the child, which crashed every second fork. A module-level list would be freed when the
        # child's Python exits.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(model._idle))
        model.discard_interpreters()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_replace_interpreters_in_child)


def _one_line(error: BaseException) -> str:
    """Return an interpreter's message in one line."""
    return " ".join(str(error).split()) or type(error).__name__
