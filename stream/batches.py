"""Core. Labels that come in batches: each is in an order of its own, so a part of one is no fair sample.

A job that sends a day's labels at once may send them sorted by country, or by what happened. The first reference
is made of a whole one: then it knows all that is in a batch, and by the sums over neighbours how much their order
matters. ADWIN, which takes all losses for independent, is not asked of batches.
"""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Final

from msgspec import Struct

FASTER: Final = 4.0
"""Labels that come so many times as fast as predictions are made are of a batch."""
LOOKS: Final = 3
"""By which that is told: in which order two topics are read moves the labels between two looks."""
SPREAD: Final = 0.25
"""Label delays over which those of the first reference come at least, if they come in batches."""


class Batches(Struct, array_like=True, gc=False):
    """When labels of a version came: by the newest outcome at the last looks, and at the first that was judged."""

    until: tuple[float, ...] = (-inf,) * LOOKS
    judged_from: float = nan

    def is_first(self, known_at: float, usual_s: float, delay_s: float, is_judged: bool) -> bool:
        """Look, once in so many labels; return whether these are of a first batch.

        The newest is of an outcome of ``known_at``, and labels take ``delay_s``; ``usual_s``: in how many seconds
        as many predictions are made. ``is_judged``: whether labels are judged by now.
        """
        since, *others = self.until
        now = max(since, *others, known_at)
        self.until = (*others, now)
        if not is_judged:
            self.judged_from = nan
        elif isnan(self.judged_from):
            self.judged_from = now
        return FASTER * (now - since) < LOOKS * usual_s and not now - self.judged_from >= SPREAD * delay_s
