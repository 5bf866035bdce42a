"""Core. Figures for people."""

from __future__ import annotations


def in_digits(value: float, digits: int = 3) -> str:
    """Return a figure with so many digits that count, and without an exponent where it is large: 0.0123, 1,690."""
    return f"{value:,.{digits}g}" if abs(value) < 10.0**digits - 0.5 else f"{value:,.0f}"
