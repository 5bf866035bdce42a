"""Core. River's ADWIN on one series' loss, with what it does not tell: whether it rose.

ADWIN (Bifet and Gavalda 2007) keeps the longest window that has no two halves of different mean, at confidence
``delta``. Its bound assumes values within 0..1, so losses are scaled before they come here. River starts an ADWIN
anew after each detection.
"""

from __future__ import annotations

from msgspec import Struct
from river.drift import ADWIN

from stream.doubles import numbers, packed, with_one

CLOCK = 32
"""Losses between two looks for a cut; River's default."""
FIRST = 2
"""What ``risen`` is by the first loss by which a rise can be judged."""


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

    def update(self, loss: float) -> None:
        """Take one loss; ``risen`` says whether a rise is proved."""
        adwin = self.adwin
        self.seen += 1
        self.total += loss
        if adwin is None:
            self.begun = with_one(self.begun, loss)
            if self.seen < CLOCK:
                return
            adwin = self._begin()
        else:
            adwin.update(loss)
        if adwin.drift_detected:
            self.risen = int(self._cut(adwin))

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

    def _cut(self, adwin: ADWIN) -> bool:
        """Return whether ADWIN kept losses of a higher mean than those that it dropped; begin anew."""
        kept, dropped = adwin.width, self.seen - adwin.width
        has_risen = dropped > 0 < kept and adwin.total / kept > (self.total - adwin.total) / dropped
        self.restart()
        return has_risen

    def restart(self) -> None:
        """Forget everything."""
        self.adwin, self.seen, self.total, self.begun, self.risen = None, 0, 0.0, b"", 0
