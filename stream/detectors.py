"""Core. River's ADWIN on one series' loss, with what it does not tell: from what level to what level.

ADWIN (Bifet and Gavalda 2007) keeps the longest window that has no two halves of different mean, at confidence
``delta``. Its bound assumes values within 0..1, so losses are scaled before they come here. River starts an ADWIN
anew after each detection.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct
from river.drift import ADWIN


class Change(NamedTuple):
    """ADWIN cut its window: the mean of what it dropped, of what it kept, and how many it kept."""

    before: float
    after: float
    kept: int


class Detector(Struct, array_like=True, gc=False):
    """ADWIN over losses within 0..1; ``seen`` and ``total`` are of the losses since it last began anew."""

    adwin: ADWIN
    seen: int = 0
    total: float = 0.0

    def update(self, loss: float) -> Change | None:
        """Take one loss; return the change that it proved, if any."""
        adwin = self.adwin
        self.seen += 1
        self.total += loss
        adwin.update(loss)
        return self._cut() if adwin.drift_detected else None

    def _cut(self) -> Change | None:
        kept, kept_total = self.adwin.width, self.adwin.total
        dropped, dropped_total = self.seen - kept, self.total - kept_total
        self.seen, self.total = 0, 0.0
        return Change(dropped_total / dropped, kept_total / kept, kept) if dropped > 0 and kept else None

    def restart(self) -> None:
        """Forget everything."""
        self.adwin, self.seen, self.total = ADWIN(delta=self.adwin.delta), 0, 0.0
