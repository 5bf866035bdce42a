"""Core. Figures as plain data, for who prints them: ``tidewatch figures`` and the summary of a replay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stream.events import ALL
from stream.figures.figure import Figure
from stream.figures.report import of_slice, of_version
from stream.figures.sums import Sums
from stream.figures.windows import LEVELS


def windows_of(sums: Sums, place: int, where: str) -> dict[str, Any]:
    """Return by window what is known of a slice, of ``all`` everything; windows without outcomes are left out."""
    of = of_version if where == ALL else of_slice
    found = {window: _plain(of(sums, place, window)) for window in LEVELS}
    return {window: figures for window, figures in found.items() if figures}


def _plain(figures: Iterable[Figure]) -> dict[str, Any]:
    """Return by name, of a class as ``recall[cat]``, the defined figures; a bound that is none is ``nan``."""
    return {
        f"{one.name}[{one.label}]" if one.label else one.name: {
            "value": one.value,
            "lower": one.lower,
            "upper": one.upper,
            "count": one.rows,
        }
        for one in figures
        if one.value == one.value
    }
