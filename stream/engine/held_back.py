"""Core. For how long an open transaction has held an input back from those who read what was committed.

They see nothing from its first record on, the last stable offset, also of what others committed after it. None of
it is lag, which ends at this offset, too. On a busy topic one is always open, but the offset moves on. It never
goes back: one that is the same when a partition comes back has not moved while that was away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

HANGS_S = 20 * 60.0
"""Kafka aborts what is open for longer than its producer may ask for, 15 minutes (``transaction.max.timeout.ms``)
unless it is told otherwise: what is open for longer than this hangs."""

Name = TypeVar("Name")


class Ends(NamedTuple):
    """Where an input ends for readers of what was committed, and for all; ``None`` or below 0: not known.

    ``told`` is another one with each fetch that told them: while none does, nothing is known of the time since.
    """

    stable: int | None
    high: int | None
    told: int | None


class Hang(NamedTuple, Generic[Name]):
    """An input that is held back for too long, and the offset of the transaction's first record in it."""

    name: Name
    offset: int
    held_s: float


class Seen(NamedTuple, Generic[Name]):
    """For how long each known input is held back, 0 when it is not, and what hangs and was not said before."""

    held_s: Mapping[Name, float]
    hangs: Sequence[Hang[Name]]


@dataclass(slots=True)
class _Stand:
    """A last stable offset below the end: since when, and when the newest fetch told so."""

    offset: int
    since: float
    until: float
    told: int | None
    is_said: bool = False


class HeldBack(Generic[Name]):
    """Judges from looks; time counts from the first look that found the offset where it is."""

    def __init__(self) -> None:
        self._stands: dict[Name, _Stand] = {}

    def look(self, ends: Mapping[Name, Ends], now: float) -> Seen[Name]:
        """Take one more look at the assigned inputs; ``now`` is in seconds, monotonic."""
        held_s: dict[Name, float] = {}
        hangs: list[Hang[Name]] = []
        for name, (stable, high, told) in ends.items():
            if stable is None or high is None or stable < 0 or high < 0:
                continue
            if stable >= high:
                self._stands.pop(name, None)
                held_s[name] = 0.0
                continue
            stand = self._stand(name, stable, told, now)
            held_s[name] = stand.until - stand.since
            if held_s[name] > HANGS_S and not stand.is_said:
                stand.is_said = True
                hangs.append(Hang(name, stable, held_s[name]))
        return Seen(held_s, hangs)

    def _stand(self, name: Name, stable: int, told: int | None, now: float) -> _Stand:
        stand = self._stands.get(name)
        if stand is None or stand.offset != stable:
            stand = self._stands[name] = _Stand(stable, now, now, told)
        elif stand.told != told:
            stand.told, stand.until = told, now
        return stand
