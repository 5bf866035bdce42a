"""Core. River's ADWIN on one series' loss, with what it does not tell: whether it rose.

ADWIN (Bifet and Gavalda 2007) keeps the longest window that has no two halves of different mean, at confidence
``delta``. Its bound assumes values within 0..1, so losses are scaled before they come here. River starts an ADWIN
anew after each detection.
"""

from __future__ import annotations

import struct

from msgspec import Struct
from river._river_rust.drift import AdaptiveWindowing

from stream.doubles import numbers, packed, with_one

CLOCK = 32
"""Losses between two looks for a cut; this and what follows are River's defaults."""
DELTA = 0.002
MAX_BUCKETS = 5
MIN_WINDOW_LENGTH = 5
GRACE_PERIOD = 10
FIRST = 2
"""What ``risen`` is by the first loss by which a rise can be judged."""


def new_adwin(delta: float) -> AdaptiveWindowing:
    """Return River's ADWIN without its wrapper, ``river.drift.ADWIN``: importing that takes seconds and 85 MB."""
    return AdaptiveWindowing(
        delta=delta,
        clock=CLOCK,
        max_buckets=MAX_BUCKETS,
        min_window_length=MIN_WINDOW_LENGTH,
        grace_period=GRACE_PERIOD,
    )


def restored_adwin(state: bytes) -> AdaptiveWindowing:
    """Return the ADWIN whose ``__getstate__`` gave these bytes."""
    adwin = new_adwin(delta_of(state))
    adwin.__setstate__(state)
    return adwin


def delta_of(state: bytes) -> float:
    """Return the delta of an ADWIN, the first number of its state."""
    (delta,) = struct.unpack_from("<d", state)
    return float(delta)


class Detector(Struct, array_like=True, gc=False):
    """ADWIN over losses within 0..1; ``seen`` and ``total`` are of the losses since it last began anew.

    There is no ADWIN before it would first look for a cut: until then losses are only kept in ``begun``, since
    most series of a large fleet are young, or have a reference and feed none.
    """

    adwin: AdaptiveWindowing | None = None
    seen: int = 0
    total: float = 0.0
    delta: float = DELTA
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
        self.seen += 1
        self.total += loss
        adwin = self.adwin
        if adwin is None:
            self.begun = with_one(self.begun, loss)
            if self.seen >= CLOCK:
                self._begin()
        elif adwin.update(loss):
            self._cut(adwin)

    def is_due(self) -> bool:
        """Return whether the newest loss is one by which to judge a rise: the first that can, or a ``CLOCK``th.

        Ask for each that can. What is not worth a page yet may be later: a rise is dropped once it is told, a fall
        is seen, or there is a reference.
        """
        self.risen += 1
        return self.risen % CLOCK == FIRST

    def _begin(self) -> None:
        """Give the first losses to an ADWIN; the newest is the first with which it can cut."""
        adwin = self.adwin = new_adwin(self.delta)
        *before, newest = numbers(self.begun)
        for loss in before:
            adwin.update(loss)
        self.begun = b""
        if adwin.update(newest):
            self._cut(adwin)

    def _cut(self, adwin: AdaptiveWindowing) -> None:
        """Note whether ADWIN kept losses of a higher mean than those that it dropped; begin anew."""
        kept, total = adwin.get_width(), adwin.get_total()
        dropped = self.seen - kept
        has_risen = dropped > 0 < kept and total / kept > (self.total - total) / dropped
        self.restart()
        self.risen = int(has_risen)

    def restart(self) -> None:
        """Forget everything."""
        self.adwin, self.seen, self.total, self.begun, self.risen = None, 0, 0.0, b"", 0
