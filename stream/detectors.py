"""Core. River's ADWIN on one series' loss, with what it does not tell: from what level to what level.

ADWIN (Bifet and Gavalda 2007) keeps the longest window that has no two halves of different mean, at confidence
``delta``. Its bound assumes values within 0..1, so losses are scaled before they come here. River starts an ADWIN
anew after each detection.
"""

from __future__ import annotations

from typing import NamedTuple

from river.drift import ADWIN


class Change(NamedTuple):
    """ADWIN cut its window: the mean of what it dropped, of what it kept, and how many it kept."""

    before: float
    after: float
    kept: int


class Detector:
    """ADWIN over losses within 0..1."""

    __slots__ = ("_adwin", "_delta")

    def __init__(self, delta: float) -> None:
        self._delta = delta
        self._adwin = ADWIN(delta=delta)

    def update(self, loss: float) -> Change | None:
        """Take one loss; return the change that it proved, if any."""
        adwin = self._adwin
        width, total = (0, 0.0) if adwin.drift_detected else (adwin.width, adwin.total)
        adwin.update(loss)
        if not adwin.drift_detected:
            return None
        kept, kept_total = adwin.width, adwin.total
        dropped = width + 1 - kept
        if dropped <= 0 or kept <= 0:
            return None
        return Change((total + loss - kept_total) / dropped, kept_total / kept, kept)

    @property
    def width(self) -> int:
        """How many losses the window holds; 0 right after a detection's restart."""
        return int(self._adwin.width)

    @property
    def mean(self) -> float:
        """Mean loss of the window; nan when empty."""
        return float(self._adwin.estimation) if self._adwin.width else float("nan")

    def restart(self) -> None:
        """Forget everything."""
        self._adwin = ADWIN(delta=self._delta)
