"""Core. Who sends a model's events, and since when: a producer that is new just before an onset is suspect.

A producer is the CloudEvents source of its records; of records without one nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from stream.events import Event, Outcome, Prediction
from stream.explanation import when
from stream.onset import Onset

KEPT: Final = 16
"""Producers of one kind of event that are remembered; a further one takes the place of one that is a day old."""
DAY_S: Final = 86_400.0
LONGEST: Final = 120
"""Characters of a source that are kept."""
NAMED: Final = 3
"""More new ones at a time are a service that runs in many places, and none of them is named."""


class Producers(Struct, array_like=True, gc=False):
    """By source, the time of the first event (epoch seconds), in order of arrival; the first one is no change."""

    predictions: dict[str, float] = {}
    outcomes: dict[str, float] = {}

    def is_new(self, event: Event, source: str) -> bool:
        """Return whether this source of predictions or outcomes is unknown, and there is room for it."""
        known = self._known(event)
        if known is None or source[:LONGEST] in known:
            return False
        return len(known) < KEPT or event.at - next(iter(known.values())) >= DAY_S

    def hear(self, event: Event, source: str) -> None:
        """Take note of a new source."""
        known = self._known(event)
        if known is None:
            return
        if len(known) >= KEPT:
            del known[next(iter(known))]
        known[source[:LONGEST]] = float(event.at)

    def _known(self, event: Event) -> dict[str, float] | None:
        if isinstance(event, Prediction):
            return self.predictions
        return self.outcomes if isinstance(event, Outcome) else None

    def new_before(self, onset: Onset, suspect_s: float) -> Iterator[str]:
        """Yield in words who was new up to the onset's latest time, from so many seconds before its earliest."""
        for what, known in (("predictions", self.predictions), ("outcomes", self.outcomes)):
            later = islice(known.items(), 1, None)
            found = [(source, at) for source, at in later if onset.after - suspect_s <= at <= onset.before]
            if len(found) <= NAMED:
                for source, at in found:
                    yield f"new producer of {what} {source}, {when(at, onset.at)}"
