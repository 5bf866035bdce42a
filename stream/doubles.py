"""Core. Some numbers as eight bytes each: a quarter of what Python takes for a list of floats."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from struct import Struct

SIZE = 8
_pack = Struct("d").pack


def with_one(kept: bytes, value: float) -> bytes:
    """Return the numbers with one more at the end; it copies them, so let them be few."""
    return kept + _pack(value)


def packed(values: Iterable[float]) -> bytes:
    """Return these numbers."""
    return array("d", values).tobytes()


def numbers(kept: bytes) -> array[float]:
    """Return the numbers, in their order."""
    return array("d", kept)
