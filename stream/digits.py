"""Core. Figures for people."""

from __future__ import annotations

WHOLE_FROM = 1_000.0


def in_digits(value: float) -> str:
    """Return a figure with three digits that count, and without an exponent where it is large: 0.0123, 1,690."""
    return f"{value:.3g}" if abs(value) < WHOLE_FROM - 0.5 else f"{value:,.0f}"
