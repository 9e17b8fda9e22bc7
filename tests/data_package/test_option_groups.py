"""Options in the help texts are in groups, each option once."""

import re

import click
import pytest
from click.testing import CliRunner

from glovelite.convert.cli import EXPORT_GROUPS, export
from glovelite.train import cli as train_cli


@pytest.mark.parametrize(
    ("command", "groups"), [(train_cli.command, train_cli.OPTION_GROUPS), (export, EXPORT_GROUPS)]
)
def test_every_option_is_shown_under_one_heading(command, groups):
    shown = CliRunner().invoke(command, ["--help"], prog_name="glovelite").output
    assert "\b" not in shown
    headings = re.findall(r"^(\w.*):$", shown, re.MULTILINE)
    assert headings == [*groups, "Other options"]
    shown = shown[shown.index(f"\n{headings[0]}:") :]
    for option in command.params:
        if isinstance(option, click.Option):
            assert len(re.findall(rf"^  {option.opts[0]}(?![\w-])", shown, re.MULTILINE)) == 1
    rest = shown[shown.index("Other options:") :].partition("Examples:")[0]
    assert set(re.findall(r"^  (\S+)", rest, re.MULTILINE)) <= {"--version", "--help"}
    known = {option.name for option in command.params}
    assert {name for names in groups.values() for name in names.split()} <= known
