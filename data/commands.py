"""What the commands of a workstation share: running a click command, sizes and times with units."""

from __future__ import annotations

import logging
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from glovelite.runtime.cli.terminal import replace_controls
from glovelite.runtime.errors import GloveliteError
from glovelite.runtime.extras import missing_extra_message
from glovelite.runtime.logs import log_to

#: Units in lower case, in bytes, in µs and in seconds; the micro sign in both Unicode spellings.
SIZE_UNITS = {
    "b": 1,
    "k": 10**3,
    "kb": 10**3,
    "kib": 1 << 10,
    "m": 10**6,
    "mb": 10**6,
    "mib": 1 << 20,
    "gb": 10**9,
}
TIME_UNITS = {"us": 1, "µs": 1, "μs": 1, "ms": 10**3, "s": 10**6}
MAX_VALUE = 1e15  # larger than any bundle


def run_click_command(command: Callable[..., object], program: str, extra: str) -> None:
    """Run a click command and exit; expected errors become one line and exit status 1.

    Ctrl-C ends the command with status 130 and SIGTERM with 143, both after its cleanup and without
    a message of click's.

    Args:
        extra: the extra whose dependencies it needs: `"train"` or `"convert"`.

    Raises:
        SystemExit: always.
    """
    sys.unraisablehook = _report_unraisable
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # of caches and fonts
    signal.signal(signal.SIGTERM, _exit)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # the shell may ignore it
        signal.signal(signal.SIGINT, _exit)
    try:
        command(prog_name=program)
    except ModuleNotFoundError as error:
        sys.exit(f"{program}: {missing_extra_message(error.name, extra)}")
    except GloveliteError as error:
        sys.exit(f"{program}: {replace_controls(str(error))}")
    except OSError as error:
        sys.exit(replace_controls(f"{program}: {error.filename or 'output'}: {error.strerror}"))


@contextmanager
def print_log(err: bool, name: str = "glovelite") -> Iterator[None]:
    """Print what is logged in the block, above the bars of tqdm.

    Args:
        err: whether to print on standard error instead of standard output.
        name: of the logger; what others log is not printed.
    """
    from tqdm import tqdm

    def write(line: str) -> None:
        with tqdm.external_write_mode(sys.stderr if err else sys.stdout):
            print_lines(line, err=err)

    with log_to(write, name):
        yield


def print_lines(text: str, err: bool = False) -> None:
    """Print text, in which names may be a stranger's: a terminal sees no control characters."""
    import click

    click.echo("\n".join(map(replace_controls, text.split("\n"))), err=err)


def _report_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Hide that files which could not be written to a full disk cannot be closed either."""
    if not isinstance(unraisable.exc_value, (OSError, ValueError)):
        sys.__unraisablehook__(unraisable)


def _exit(number: int, _: object) -> None:
    sys.exit(128 + number)


def parse_size(text: str) -> int:
    """Parse a size in bytes: `"300kB"` -> 300000, `"1.5 MiB"` -> 1572864."""
    return int(_parse(text, SIZE_UNITS, "300kB, 2MB or 500KiB"))


def parse_time(text: str) -> float:
    """Parse a short time in µs: `"50us"` -> 50.0, `"1.5ms"` -> 1500.0."""
    return _parse(text, TIME_UNITS, "50us, 1.5ms or 1s")


def _parse(text: str, units: Mapping[str, int], examples: str) -> float:
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zµμ]+)\s*", text.lower())
    value = float(match[1]) * units.get(match[2], 0) if match else 0.0
    if not 1 <= value < MAX_VALUE:
        raise ValueError(f"{text!r:.40}: expected something like {examples}")
    return value
