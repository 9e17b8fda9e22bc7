"""The `repr` of options, which have many fields and few that differ from their defaults."""

from __future__ import annotations

from dataclasses import fields


class ShortRepr:
    """A base of dataclasses whose `repr` leaves out the fields that have their default.

    They are declared with `repr=False`, or `dataclass` would add one with all fields.
    """

    def __repr__(self) -> str:
        given = (
            f"{field.name}={value!r}"
            for field in fields(self)  # type: ignore[arg-type]
            if (value := getattr(self, field.name)) != field.default
        )
        return f"{type(self).__name__}({', '.join(given)})"
