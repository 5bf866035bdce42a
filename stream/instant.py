"""Core. How a point in time is written on the wire, read from it, and said to people."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from stream.events import Instant

MILLISECONDS_FROM = 1e11
"""A number this large is milliseconds: as seconds it is the year 5138, as milliseconds March 1973."""

PATTERN = (
    r"^([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""RFC 3339 with an offset, as the JSON Schema states it: without look-around, which Go and Rust can't read."""

WANTED = "RFC 3339 with offset (2026-03-01T08:30:00Z), or epoch seconds or milliseconds"

_matches = re.compile(PATTERN[1:-1]).fullmatch


def read_instant(value: object) -> Instant:
    """Return the instant that a JSON string or number means, in epoch seconds.

    Raises:
        ValueError: the message says what is wanted instead.
    """
    if isinstance(value, str):
        if _matches(value) is None:
            raise ValueError(f"{WANTED}; this has no offset" if _matches(f"{value}Z") else WANTED)
        try:
            return Instant(datetime.fromisoformat(value).timestamp())
        except ValueError as fault:
            raise ValueError(f"{WANTED}; {fault}") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(WANTED)
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(WANTED) from None
    return Instant(number if abs(number) < MILLISECONDS_FROM else number / 1000)


def in_words(at: float) -> str:
    """Return an instant (epoch seconds) for people: UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span_in_words(seconds: float) -> str:
    """Return a span of time for people: seconds below two minutes, minutes below two hours, else hours."""
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7_200.0 else f"{seconds / 3_600.0:.1f} h"
