"""What several commands of `glovelite-convert` take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

FOLDER = click.Path(path_type=Path)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON on stdout.")
data_option = click.option(
    "--data", type=FOLDER, help="Labelled text to measure on: CSV (text,label) or JSONL."
)


class Parsed(click.ParamType):  # type: ignore[type-arg]
    """A value that a function of ours reads."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        """Name what is expected and give what reads it, raising ValueError where it is not that."""
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """Read the value, or fail with what was expected."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, context)
