"""The TFLite interpreter this machine has, and the model run on it at any length.

`tflite-runtime` where it has wheels (Linux, Python up to 3.11), else its successor
`ai-edge-litert`. Both offer the same `Interpreter` class; this module is the only one that knows
there are two.
"""

from __future__ import annotations

import ctypes  # numpy has imported it
import importlib
import os
import weakref
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import BundleDamagedError, InterpreterError

#: Distribution → module that holds `Interpreter`, in order of preference.
INTERPRETERS = {
    "tflite-runtime": "tflite_runtime.interpreter",
    "ai-edge-litert": "ai_edge_litert.interpreter",
}

# Lengths the input is resized to. Fine steps where text is short, so that a tweet does not pay for
# a page.
LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
# Up to here a length keeps its interpreter: resizing takes 10 µs on LiteRT, but 50 to 250 on
# tflite-runtime, first inference included; longer ones would hold a megabyte each.
APART_UP_TO = 256
# What the interpreters raise at a model they cannot load or run, a forged one's sizes included.
REFUSALS = (ValueError, RuntimeError, TypeError, IndexError, AttributeError, MemoryError)


def find_interpreter() -> tuple[str, Any]:
    """Find the interpreter to use.

    The environment variable `GLOVELITE_INTERPRETER` names one of `INTERPRETERS` where both are
    installed and the choice matters.

    Returns:
        The distribution's name and its `Interpreter` class.

    Raises:
        InterpreterError: none is installed, or the one asked for is not.
    """
    asked = os.environ.get("GLOVELITE_INTERPRETER")
    if asked and asked not in INTERPRETERS:
        raise InterpreterError(
            f"GLOVELITE_INTERPRETER is {asked!r}: use one of {', '.join(INTERPRETERS)}"
        )
    for name in [asked] if asked else INTERPRETERS:
        try:
            return name, importlib.import_module(INTERPRETERS[name]).Interpreter
        except ImportError as error:
            if error.name not in INTERPRETERS[name].split("."):
                raise InterpreterError(f"{name} is installed but broken: {error}") from error
    raise InterpreterError(
        f"no TFLite interpreter is installed: pip install {asked or 'glovelite'}"
    )


def interpreter_version() -> str:
    """Name the interpreter in use.

    Returns:
        Distribution and version, such as `"tflite-runtime 2.14.0"`.

    Raises:
        InterpreterError: none is installed.
    """
    from importlib import metadata  # costs a device's start 10 ms it seldom needs

    name, _ = find_interpreter()
    return f"{name} {metadata.version(name)}"


class Model:
    """A flatbuffer ready to run on texts of any length.

    A pool of interpreters, all reading one copy of the flatbuffer: as many as threads have asked
    for at once. Each short length has its own; all longer ones share one, resized where the length
    changes, so that the memory of a page is held once. A forked process makes interpreters of its
    own: those it inherits may have been at work in another thread.

    tflite-runtime 2.14 answers noise when an interpreter with float16 constants is resized a second
    time (it expands them once, into memory that the next resizing gives away): there every length
    has its own.
    """

    def __init__(self, content: bytes, fixed_length: int | None, threads: int = 1) -> None:
        """Find the interpreter; the first run proves that it takes the flatbuffer.

        Args:
            content: the flatbuffer.
            fixed_length: the only length the model takes, or None where it takes any.
            threads: how many threads one inference may use.

        Raises:
            InterpreterError: no interpreter is installed.
        """
        self._content = content
        self._fixed_length = fixed_length
        self._shares: bool | None = None  # known when there is an interpreter
        self._closed = False
        self._threads = min(threads, os.cpu_count() or 1)  # thousands would stop the machine
        self._name, self._interpreter_class = find_interpreter()
        self.start_anew()
        _MODELS.add(self)

    def run(self, ids: Sequence[int], trailing_padding: int) -> npt.NDArray[np.float32]:
        """Run the model on the ids of one text.

        Args:
            ids: token ids without padding.
            trailing_padding: how many padding ids must follow at the least.

        Returns:
            The model's output, float32 [outputs].

        Raises:
            InterpreterError: the interpreter refuses the model or fails.
            BundleDamagedError: the model reads or answers other types than a classifier's.
        """
        length = self._length_for(len(ids) + trailing_padding)
        shared = length > APART_UP_TO and self._shares
        free = self._free.setdefault(0 if shared else length, [])
        try:
            slot = free.pop()  # no other thread has it until it is back
        except IndexError:
            slot = self._make_slot()
        output = slot.run(ids, length)
        free.append(slot)  # one that failed is not used again
        return output

    def start_anew(self) -> None:
        """Forget every interpreter."""
        self._free: dict[int, list[_Slot]] = {}

    def close(self) -> None:
        """Free the interpreters; texts being answered in other threads still are."""
        self._closed = True
        self.start_anew()

    def _length_for(self, needed: int) -> int:
        if self._fixed_length is not None:
            return self._fixed_length
        if needed <= LENGTHS[-1]:
            return LENGTHS[bisect_left(LENGTHS, needed)]
        return -(-needed // 512) * 512

    def _make_slot(self) -> _Slot:
        if self._closed:
            raise InterpreterError("the classifier is closed: load the bundle again")
        try:
            interpreter = self._interpreter_class(
                model_content=self._content, num_threads=self._threads
            )
            input_ = interpreter.get_input_details()[0]
            output = interpreter.get_output_details()[0]
            if self._shares is None:
                types = {each["dtype"] for each in interpreter.get_tensor_details()}
                self._shares = self._name != "tflite-runtime" or np.float16 not in types
        except REFUSALS as error:
            raise InterpreterError(f"{self._name} refuses the model: {_reason(error)}") from error
        if input_["dtype"] != np.int32 or output["dtype"] not in (np.float32, np.int8):
            raise BundleDamagedError(
                "the model should read int32 and answer float32 or int8, it reads "
                f"{np.dtype(input_['dtype'])} and answers {np.dtype(output['dtype'])}"
            )
        return _Slot(interpreter, input_["index"], output, self._fixed_length is None)


class _Slot:
    """One interpreter, for one thread at a time."""

    def __init__(
        self, interpreter: Any, input_: int, output: dict[str, Any], resizable: bool
    ) -> None:
        self._interpreter, self._resizable = interpreter, resizable
        self._input, self._output = input_, output["index"]
        self._scale, self._zero = output["quantization"]  # 0, 0 where it is float32
        self._length = self._used = 0

    def run(self, ids: Sequence[int], length: int) -> npt.NDArray[np.float32]:
        if length != self._length:
            self._allocate(length)
        count = len(ids)
        self._row[:count] = ids
        if count < self._used:
            self._row[count : self._used] = 0
        self._used = count
        try:
            self._interpreter.set_tensor(self._input, self._ids)
            self._interpreter.invoke()
            output: npt.NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        except REFUSALS as error:
            raise InterpreterError(f"inference failed: {_reason(error)}") from error
        if self._scale:
            output = (output.astype(np.float32) - self._zero) * np.float32(self._scale)
        return output

    def _allocate(self, length: int) -> None:
        try:
            if self._resizable:
                self._interpreter.resize_tensor_input(self._input, [1, length])
            self._interpreter.allocate_tensors()
        except REFUSALS as error:
            raise InterpreterError(
                f"the interpreter refuses the model: {_reason(error)}"
            ) from error
        self._ids = np.zeros((1, length), np.int32)
        self._row, self._length, self._used = self._ids[0], length, 0


_MODELS: weakref.WeakSet[Model] = weakref.WeakSet()


def _start_anew_in_child() -> None:
    for model in _MODELS:
        # Never to be freed: freeing an interpreter ends its threads, which the child has not got.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(model._free))
        model.start_anew()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_anew_in_child)


def _reason(error: Exception) -> str:
    """Make one line of an interpreter's message, with the mend for the one known trap."""
    text = " ".join(str(error).split()) or type(error).__name__
    if "NumPy" in text or "_ARRAY_API" in text or isinstance(error, AttributeError):
        text += " (tflite-runtime needs numpy below 2: pip install 'numpy<2')"
    return text
