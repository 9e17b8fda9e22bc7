"""Connects to a Ray cluster, or starts Ray on this machine."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

import glovelite
from glovelite.runtime.errors import ClusterError
from glovelite.runtime.native_logs import hide_native_logs

CONNECT_SECONDS = 10.0
LOCAL = "local"  # the address that starts Ray here
PACKAGE = Path(glovelite.__file__).parent  # sent to a cluster's machines


@contextmanager
def connect(address: str | None, workers: int | None) -> Iterator[None]:
    """Connect to a Ray cluster, or start Ray on this machine and stop it at the end.

    Where Ray is connected already, it is used and left connected.

    Args:
        address: of a cluster, such as `auto` or `head:6379`; None or `local` starts Ray here.
        workers: number of processes if Ray is started here; None for one a core.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # of its own processes
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address in (None, LOCAL):
        options |= {"address": LOCAL, "num_cpus": workers, "include_dashboard": False}
    else:
        _check_reachable(address)
        options |= {"address": address, "runtime_env": {"py_modules": [str(PACKAGE)]}}
    try:
        with hide_native_logs():
            ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"{address or 'Ray'} cannot be reached: {last_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise ClusterError if nothing answers at `HOST:PORT`: Ray would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"{address} cannot be reached: {error}") from None


def fetch(reference: Any) -> Any:
    """Return the result of a task, or raise its own error; ClusterError if Ray failed."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        raise error.cause from None
    except RayError as error:
        raise ClusterError(f"Ray failed: {last_line(error)}") from error


def last_line(error: BaseException) -> str:
    """Return the last line of the message of what caused an error; it has the reason in Ray's."""
    while cause := getattr(error, "cause", None) or error.__cause__:
        error = cause
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
