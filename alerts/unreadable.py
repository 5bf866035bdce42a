"""Core. A record of the findings topic that is none of those that are known."""

from __future__ import annotations

from typing import NamedTuple

from stream.engine.partition import Output


class Unreadable(NamedTuple):
    """Why it is none, and what goes to the dead letters."""

    reason: str
    letter: Output
