"""Runs the click commands `glovelite-train` and `glovelite-convert`.

`glovelite-run` does not load it, and it does not import click: the runtime needs only numpy and the
interpreter.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from ..errors import GloveliteError
from ..extras import missing_extra_message


def run_click_command(command: Callable[..., object], program: str, extra: str) -> None:
    """Run a click command and exit; expected errors become one line and exit status 1.

    Ctrl-C ends the command with status 130 and SIGTERM with 143, both after its cleanup and without
    a message of click's.

    Args:
        command: the click command; it parses `sys.argv`.
        program: its name, in the usage and in error messages.
        extra: the extra whose dependencies it needs: `"train"` or `"convert"`.

    Raises:
        SystemExit: always.
    """
    sys.unraisablehook = _report_unraisable
    signal.signal(signal.SIGTERM, _exit)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # the shell may ignore it
        signal.signal(signal.SIGINT, _exit)
    try:
        command(prog_name=program)
    except ModuleNotFoundError as error:
        sys.exit(f"{program}: {missing_extra_message(error.name, extra)}")
    except GloveliteError as error:
        sys.exit(f"{program}: {error}")
    except OSError as error:
        sys.exit(f"{program}: {error.filename or 'output'}: {error.strerror}")


def _report_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Hide that files which could not be written to a full disk cannot be closed either."""
    if not isinstance(unraisable.exc_value, (OSError, ValueError)):
        sys.__unraisablehook__(unraisable)


def _exit(number: int, _: object) -> None:
    sys.exit(128 + number)
