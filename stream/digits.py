"""Core. Figures for people."""

from __future__ import annotations

LARGE = 1e15
"""From here on a figure has an exponent: nobody counts so many digits."""


def in_digits(value: float, digits: int = 3) -> str:
    """Return a figure with so many digits that count, and without an exponent where it is large: 0.0123, 1,690."""
    return f"{value:,.{digits}g}" if not 10.0**digits - 0.5 <= abs(value) < LARGE else f"{value:,.0f}"
