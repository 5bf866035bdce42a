"""Core. Whether a model is not judged though labels come: most of its outcomes can't be compared.

A version's first prediction says what the version is; what is of another kind counts as mismatched and is judged
by nobody. A model that begins so has no good week to be held against: more than half is enough for a ticket.
"""

from __future__ import annotations

from math import isnan, nan
from typing import Literal, NamedTuple

from msgspec import Struct

from stream.events import Finding

ENOUGH = 100
"""Outcomes of one sort, comparable or not, that say how it is: kinds do not differ by chance."""
LABELS = 500
"""Outcomes of a window: what came before them says nothing of now."""
OVER = 3
"""Times as many can be compared as can't, for a ticket to be over."""


class Mismatch(NamedTuple):
    """What the outcomes of a window say; instants are event time, ``after`` that of the window before."""

    verdict: Literal["opened", "closed"]
    mismatched: int
    outcomes: int
    since: float
    after: float


class Unjudged(Struct, array_like=True, gc=False):
    """The running window of one model's outcomes: both totals when it began, and when that was."""

    comparable: int = 0
    mismatched: int = 0
    since: float = nan
    after: float = nan
    episode: int = 0
    finding: Finding | None = None

    def look(self, comparable: int, mismatched: int, now: float, is_served: bool) -> Mismatch | None:
        """Judge the outcomes of the window up to ``now``, by totals since the model began; ``None`` without news.

        The first look begins the first window: what an older release had counted by then is not in it. Of a model
        that is not served any more nothing is open.
        """
        if isnan(self.since):
            self._begin(comparable, mismatched, now)
        fit, unfit = comparable - self.comparable, mismatched - self.mismatched
        is_open, is_most = self.finding is not None, unfit >= ENOUGH and unfit > fit
        is_over = not is_served or fit >= max(ENOUGH, OVER * unfit)
        is_news = is_over if is_open else is_most and is_served
        found = Mismatch("closed" if is_open else "opened", unfit, fit + unfit, self.since, self.after)
        if is_news or is_most or fit + unfit >= LABELS:
            self._begin(comparable, mismatched, now)
        return found if is_news else None

    def _begin(self, comparable: int, mismatched: int, now: float) -> None:
        self.after = now if isnan(self.since) else self.since
        self.comparable, self.mismatched, self.since = comparable, mismatched, now
