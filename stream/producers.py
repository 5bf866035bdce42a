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
"""Producers of one kind of event that are remembered; a further one takes the place of one silent for a day."""
DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0
LONGEST: Final = 120
"""Characters of a source that are kept."""
NAMED: Final = 3
"""More new ones at a time are a service that runs in many places, and none of them is named."""


class Producers(Struct, array_like=True, gc=False):
    """By source the times of its first and of its newest event (epoch seconds), in the order of the first ones.

    The newest is up to ``HOUR_S`` old. The first source of all is no change.
    """

    predictions: dict[str, tuple[float, float]] = {}
    outcomes: dict[str, tuple[float, float]] = {}

    def is_news(self, event: Event, source: str) -> bool:
        """Return whether to ``hear`` of this source: it is unknown and there is room, or an hour has passed."""
        known = self._known(event)
        if known is None:
            return False
        if (times := known.get(source[:LONGEST])) is not None:
            return event.at - times[1] >= HOUR_S
        return len(known) < KEPT or event.at - min(newest for _, newest in known.values()) >= DAY_S

    def hear(self, event: Event, source: str) -> None:
        """Take note of a source; when there are too many, the one that is silent for longest is forgotten."""
        known, name, at = self._known(event), source[:LONGEST], float(event.at)
        if known is None:
            return
        if name not in known and len(known) >= KEPT:
            del known[min(known, key=lambda one: known[one][1])]
        known[name] = known[name][0] if name in known else at, at

    def _known(self, event: Event) -> dict[str, tuple[float, float]] | None:
        if isinstance(event, Prediction):
            return self.predictions
        return self.outcomes if isinstance(event, Outcome) else None

    def new_before(self, onset: Onset, suspect_s: float) -> Iterator[str]:
        """Yield in words who was new up to the onset's latest time, from so many seconds before its earliest."""
        for what, known in (("predictions", self.predictions), ("outcomes", self.outcomes)):
            later = islice(known.items(), 1, None)
            found = [
                (source, at) for source, (at, _) in later if onset.after - suspect_s <= at <= onset.before
            ]
            if len(found) <= NAMED:
                for source, at in found:
                    yield f"new producer of {what} {source}, {when(at, onset.at)}"
