"""Core. What lay in a partition's inputs when it was taken over, or in doubt, and whether all of it is folded.

Commit markers and aborted records take offsets too, so no record need end where a log does. What counts is how far
an input was fetched, and that the records that were handed on until there are folded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PATIENCE_S = 30.0
"""After so long the end that fetches tell now counts, too: a log that lost its end never has the old one again."""


class Reach(NamedTuple):
    """How far an input was fetched: ``position`` is read next, the newest record handed on is below ``handed``.

    Below ``stable`` there is something; 0 while that is not known.
    """

    position: int
    stable: int
    handed: int


class Backlog:
    """Of one partition: ``ends`` by topic, at the instant ``now`` (monotonic seconds)."""

    __slots__ = ("_ends", "_since")

    def __init__(self, ends: Mapping[str, int], now: float) -> None:
        self._ends = dict(ends)
        self._since = now

    def fetched(self, topic: str, reach: Reach, now: float) -> None:
        """Learn how far an input was fetched; only what came of it is to be folded once its end is passed."""
        end = self._ends.get(topic, 0)
        is_lost = now - self._since > PATIENCE_S and 0 < reach.stable <= reach.position
        if reach.position >= end or is_lost:
            self._ends[topic] = min(end, reach.handed)

    def end(self, topic: str) -> int:
        """Return below which offset records of an input are to be folded, as far as is known."""
        return self._ends.get(topic, 0)

    def is_folded(self, offsets: Mapping[str, int]) -> bool:
        """Whether all is folded, where ``offsets`` are the next ones to fold by topic."""
        return all(offsets.get(topic, 0) >= end for topic, end in self._ends.items())
