"""Shows on a terminal how far long work has come; silent where nobody watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType


class Progress:
    """One line on standard error, drawn over itself a few times a second."""

    def __init__(self, name: str, total: int, unit: float = 1e6, symbol: str = "MB") -> None:
        """Start at nothing.

        Args:
            name: what is under way.
            total: what it adds up to.
            unit: what a shown unit is worth.
            symbol: the shown unit.
        """
        self._name, self._total, self._unit, self._symbol = name, total, unit, symbol
        self._watched = sys.stderr.isatty()
        self._drawn = 0.0

    def __enter__(self) -> Progress:
        """Start."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.clear()

    def clear(self) -> None:
        """Clear the line."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def reach(self, done: int) -> None:
        """Show that this much is done."""
        now = time.monotonic()
        if not self._watched or now - self._drawn < 0.2:
            return
        self._drawn = now
        share = done / max(1, self._total)
        bar = "█" * int(20 * min(1, share))
        shown = f"{done / self._unit:,.0f} of {self._total / self._unit:,.0f} {self._symbol}"
        sys.stderr.write(f"\r\x1b[K{self._name} {bar:░<20} {share:4.0%}  {shown}")
        sys.stderr.flush()
