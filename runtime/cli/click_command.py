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

    SIGTERM ends the command with status 143 after the same cleanup as Ctrl-C.

    Args:
        command: the click command; it parses `sys.argv`.
        program: its name, in the usage and in error messages.
        extra: the extra whose dependencies it needs: `"train"` or `"convert"`.

    Raises:
        SystemExit: always.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        command(prog_name=program)
    except ModuleNotFoundError as error:
        sys.exit(f"{program}: {missing_extra_message(error.name, extra)}")
    except GloveliteError as error:
        sys.exit(f"{program}: {error}")
    except OSError as error:
        sys.exit(f"{program}: {error.filename or 'output'}: {error.strerror}")
