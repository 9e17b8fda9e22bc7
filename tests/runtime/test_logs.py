"""What is logged becomes lines, and other handlers are left alone."""

import logging
import sys
from importlib.util import find_spec

import pytest

from glovelite.runtime.interpreter import INTERPRETERS
from glovelite.runtime.logs import log_lines, log_to
from tests.helpers import run

PACKAGE, MODULE = logging.getLogger("glovelite"), logging.getLogger("glovelite.scale.job")


def test_warnings_are_lines_with_a_prefix(logged):
    log_lines(MODULE, ["a line, 100 %", "warning: another"])
    MODULE.debug("not shown")
    assert logged == ["a line, 100 %", "warning: another"]


def test_the_logger_is_as_before_even_after_an_error(caplog):
    with pytest.raises(ZeroDivisionError), log_to(lambda _: 1 / 0):
        MODULE.info("a line")
    assert (PACKAGE.level, PACKAGE.handlers, PACKAGE.propagate) == (logging.NOTSET, [], True)
    log_lines(MODULE, ["hidden by default", "warning: shown"])
    assert caplog.messages == ["shown"]


def test_one_package_can_be_shown_alone_and_other_handlers_receive_nothing_of_it(logged):
    lines = []
    with log_to(lines.append, "glovelite.scale"):
        log_lines(MODULE, ["from a job"])
        log_lines(logging.getLogger("glovelite.runtime.files.tables"), ["from a reader"])
    assert (lines, logged) == (["from a job"], ["from a reader"])


PREDICT = """
import sys
from glovelite import Classifier
Classifier.load(sys.argv[1]).predict(["a tree", "a bird " * 500])
print("mine", file=sys.stderr)
"""


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_program_that_predicts_shows_no_logs_of_an_interpreter(interpreter, bundle, monkeypatch):
    if not find_spec(INTERPRETERS[interpreter]):
        pytest.skip(f"{interpreter} is not installed")
    monkeypatch.setenv("GLOVELITE_INTERPRETER", interpreter)
    assert run(sys.executable, "-c", PREDICT, bundle).stderr == "mine\n"
