"""Core. River's ADWIN on one series' loss, with what it does not tell: from what level to what level.

ADWIN (Bifet and Gavalda 2007) keeps the longest window that has no two halves of different mean, at confidence
``delta``. Its bound assumes values within 0..1, so losses are scaled before they come here. River starts an ADWIN
anew after each detection.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct
from river.drift import ADWIN

from stream.doubles import numbers, packed, with_one

CLOCK = 32
"""Losses between two looks for a cut; River's default."""
FIRST = 2
"""What ``risen`` is by the first loss by which a rise can be judged."""


class Change(NamedTuple):
    """ADWIN cut its window: the mean of what it dropped, of what it kept, and how many it kept."""

    before: float
    after: float
    kept: int


class Detector(Struct, array_like=True, gc=False):
    """ADWIN over losses within 0..1; ``seen`` and ``total`` are of the losses since it last began anew.

    There is no ADWIN before it would first look for a cut: until then losses are only kept in ``begun``, since
    most series of a large fleet are young, or have a reference and feed none.
    """

    adwin: ADWIN | None = None
    seen: int = 0
    total: float = 0.0
    delta: float = ADWIN().delta
    first: tuple[float, ...] = ()
    """Until schema 6: what is in ``begun``."""
    begun: bytes = b""
    """The losses (``stream.doubles``), while they are few."""
    risen: int = 0
    """Of a rise that is not told: one more than the losses by which it could have been judged; 0 without one."""

    def __post_init__(self) -> None:
        """Take over what an older schema wrote."""
        if self.first:
            self.begun, self.first = packed(self.first), ()

    def update(self, loss: float) -> Change | None:
        """Take one loss; return the change that it proved, if any."""
        adwin = self.adwin
        self.seen += 1
        self.total += loss
        if adwin is None:
            self.begun = with_one(self.begun, loss)
            if self.seen < CLOCK:
                return None
            adwin = self._begin()
        else:
            adwin.update(loss)
        if not adwin.drift_detected:
            return None
        change = self._cut(adwin)
        self.risen = int(change is not None and change.after > change.before)
        return change

    def is_due(self) -> bool:
        """Return whether the newest loss is one by which to judge a rise: the first that can, or a ``CLOCK``th.

        Ask for each that can. What is not worth a page yet may be later: a rise is dropped once it is told, a fall
        is seen, or there is a reference.
        """
        self.risen += 1
        return self.risen % CLOCK == FIRST

    def _begin(self) -> ADWIN:
        self.adwin = ADWIN(delta=self.delta, clock=CLOCK)
        for loss in numbers(self.begun):
            self.adwin.update(loss)
        self.begun = b""
        return self.adwin

    def _cut(self, adwin: ADWIN) -> Change | None:
        kept, kept_total = adwin.width, adwin.total
        dropped, dropped_total = self.seen - kept, self.total - kept_total
        self.restart()
        return Change(dropped_total / dropped, kept_total / kept, kept) if dropped > 0 and kept else None

    def restart(self) -> None:
        """Forget everything."""
        self.adwin, self.seen, self.total, self.begun, self.risen = None, 0, 0.0, b"", 0
