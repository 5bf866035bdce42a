"""Core. A made-up version of a model that is well, gets worse and is well again, to see a real page by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import sqrt

from stream.events import Event, Instant, Outcome, Prediction

WELL, WORSE = 0.05, 0.6
"""Shares of wrong predictions."""
DELAY_S = 0.5
"""From a prediction to its outcome."""
_STEP = (sqrt(5) - 1) / 2  # its multiples, without their whole parts, are the most evenly spread within 0..1


class Rehearsal:
    """Makes one version's events; nothing is left to chance. ``made`` counts predictions."""

    def __init__(self, model: str, version: str) -> None:
        self.model = model
        self.version = version
        self.made = 0

    def events(self, ats: Iterable[float], wrong: float) -> Iterator[Event]:
        """Yield a prediction and its outcome for each instant (epoch seconds); ``wrong`` is within 0..1."""
        for at in ats:
            self.made += 1
            name = f"{self.version}-{self.made}"
            yield Prediction(
                prediction_id=name,
                model=self.model,
                version=self.version,
                at=Instant(at),
                prediction=True,
            )
            is_wrong = self.made * _STEP % 1.0 < wrong
            yield Outcome(
                prediction_id=name, model=self.model, at=Instant(at + DELAY_S), outcome=not is_wrong
            )
