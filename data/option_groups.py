"""Click commands whose help shows options in groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

REST = "Other options"


class GroupedCommand(click.Command):
    """A command whose `--help` has a heading for each group of options."""

    def __init__(self, *args: Any, groups: Mapping[str, str], **kwargs: Any) -> None:
        """Initialize with heading -> names of parameters, such as `"text_column format"`.

        Options in no group follow under `Other options`.
        """
        super().__init__(*args, **kwargs)
        named = {heading: names.split() for heading, names in groups.items()}
        self._headings = {name: heading for heading, names in named.items() for name in names}
        self._groups = (*groups, REST)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group after group."""
        rows: dict[str, list[tuple[str, str]]] = {heading: [] for heading in self._groups}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                rows[self._headings.get(parameter.name or "", REST)].append(record)
        for heading, records in rows.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
