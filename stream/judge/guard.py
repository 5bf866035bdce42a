"""Core. What guards one series: its reference, the harm detector that is held against it, and when it is renewed.

A loss of a regression counts as lost when it is above ``cut``, a quantile of the series' first losses; how often
that happens while all is well is then measured on the losses after those, so the quantile need not be exact.
"""

from __future__ import annotations

from copy import copy

from msgspec import Struct, field

from stream.doubles import SIZE, numbers, packed, with_one
from stream.history import Span
from stream.judge.edetector import EDetector, edetector
from stream.judge.level import FEWEST, MOST, Level, bound_of, cut_of, memory
from stream.judge.mixture import LEAST, rounded
from stream.judge.recovery import Recovery

FIRST = 200
QUANTILE = 0.9
HALF = 0.5
"""The cut of a loss that is 0 or 1."""
UNKNOWN = -1.0
UNCOUNTED = -1
"""Of a reference from before that was counted."""
SHARE = 0.4
"""Of the least rise worth a page, what the bound lies above the rate at least: a little below the half that a
CUSUM between the two rates would take, since the loss since the onset is held against the whole rise besides."""

BROKEN = 100.0
"""A loss of the reference counts in its mean as at most this many times the cut: a broken value among the fewest
moves that by less than half of the cut."""
EASED = 0.5
"""The share of the evidence that stays when what it proved was not worth a page."""

SOON = 8
"""A renewal that was put off within the first week is due again when there are an eighth more losses."""
PROMISED, GIVEN = 0, -1
"""Stand in for when a reference is renewed that is an objective, or was made beforehand: never."""
FROZEN = Level()
"""Stands in for a level that is no longer needed."""


def spared(loss: float, cut: float) -> float:
    """Return what a loss above the cut adds to its reference's sum."""
    return min(loss, BROKEN * cut) if cut > 0.0 else loss


class Guard(Struct, array_like=True, gc=False):
    """Reference and detector of one series. ``harm`` is ``None`` while there is no reference."""

    cut: float = UNKNOWN
    first: tuple[float, ...] = ()
    """Until schema 6: what is in ``begun``."""
    level: Level = field(default_factory=Level)
    total: float = 0.0
    """Of the losses in ``level``, in their own unit."""
    harm: EDetector | None = None
    known: int = 0
    known_total: float = 0.0
    """What the reference was made of when it was renewed last: losses and their sum."""
    learning: bool = True
    due: int = FEWEST
    """How many losses ``level`` has when the reference is renewed; ``PROMISED``: it is an objective."""
    recovery: Recovery | None = None
    """Of the newest harm that was told."""
    memory: float = 1.0
    """The inflation at least, until the reference is whole: a regression's, from its first losses."""
    quantile: float = QUANTILE
    """Of the first losses, where the cut is, when that is learned."""
    is_seasoned: bool = True
    """Whether the losses are of a week at least; until then a reference is renewed beyond ``MOST``."""
    begun: bytes = b""
    """The first losses (``stream.doubles``), while the cut is sought."""
    known_lost: int = UNCOUNTED
    """How many of ``known`` lay above the cut."""

    def __post_init__(self) -> None:
        """Take over what an older schema wrote."""
        if self.first:
            self.begun, self.first = packed(self.first), ()
        if self.due == FEWEST and self.harm is not None and not self.learning:  # as a file's was written
            self.due = GIVEN

    def take(self, loss: float, arl: float, increase: float) -> bool:
        """Take one loss (>= 0); return whether harm is proved: evidence at its limit.

        ``arl`` (losses) and ``increase`` (the least relative rise worth a page) are for a renewed reference.
        """
        harm = self.harm
        proved = False
        if lost := loss > self.cut:
            proved = harm is not None and harm.lose()
        elif harm is not None:
            harm.zeros += 1
        if self.learning:
            if self.cut < 0.0:
                self._begin(loss)
                return False
            level = self.level
            level.losses += 1
            if lost:
                loss = spared(loss, self.cut)
                level.lose()
            self.total += loss
            if level.losses == self.due:
                self._renew(arl, increase)
        return proved

    def skip(self, losses: int) -> None:
        """Take so many losses that were not above the cut; their renewals must not be among them."""
        if self.harm is not None:
            self.harm.zeros += losses
        if self.learning:
            self.level.losses += losses

    def _begin(self, loss: float) -> None:
        self.begun = with_one(self.begun, loss)
        if len(self.begun) == SIZE * FIRST:
            first, self.begun = numbers(self.begun), b""
            self.cut, self.memory = cut_of(first, self.quantile), memory(first)

    def _renew(self, arl: float, increase: float) -> None:
        """Make the reference of all losses so far; while there is some evidence that they are bad, put it off."""
        harm, level = self.harm, self.level
        is_enough = level.losses >= MOST and self.is_seasoned
        self.due = 2 * level.losses if level.losses >= MOST else min(2 * level.losses, MOST)
        if self.is_suspected():
            if not (is_enough and self._is_chance(increase)):
                self._put_off(is_enough)
                return
            self.calm()
        inflation = level.inflation if level.losses >= MOST else max(level.inflation, self.memory)
        bound = bound_of(level.losses, level.lost, inflation, SHARE * increase)
        bound, inflation = rounded(max(bound, LEAST), inflation)
        if harm is None:
            self.harm = edetector(bound, arl, inflation)
        else:
            harm.aim(bound, arl, inflation)
        self.known, self.known_total, self.known_lost = level.losses, self.total, level.lost
        if is_enough:
            self.freeze()

    def _put_off(self, is_enough: bool) -> None:
        """Keep the reference as it is: for good, or until there are more losses."""
        if is_enough:
            self.freeze()
        elif not self.is_seasoned:  # a day's waves are suspected as well, but not for long
            self.due = self.level.losses + self.level.losses // SOON

    def wait(self, losses: int) -> None:
        """Make no first reference of so many more losses."""
        if self.harm is None and self.learning:
            self.due = max(self.due, self.level.losses + losses + 1)

    def _is_chance(self, increase: float) -> bool:
        """Return whether the reference allows for all losses so far, now that these say how dependent they are.

        Of a few losses all may be good because the bad ones come in clumps, which only more of them show.
        """
        if self.known_lost == UNCOUNTED:
            return False
        inflation = max(self.level.inflation, self.inflation)
        return self.level.rate <= bound_of(self.known, self.known_lost, inflation, SHARE * increase)

    def freeze(self) -> None:
        """Keep the reference as it was made last; without one learn none from harm that was told."""
        self.learning, self.level = False, FROZEN

    def resume(self) -> None:
        """Learn a reference from here on, now that harm is over, if there is none or it is not whole."""
        if not (self.learning or self.is_whole):
            due = max(2 * self.known, FEWEST)
            self.learning, self.level, self.total, self.due = True, Level(), 0.0, due

    def reference(self) -> Span:
        """Return the losses that the reference was made of; empty while there is none."""
        return Span(self.known, self.known_total, float("nan"))

    def aim(self, arl: float) -> None:
        """Follow a run length that has become quite another."""
        harm = self.harm
        if harm is not None and not 0.8 < arl / harm.arl < 1.25:
            harm.aim(harm.bound, arl, harm.inflation)

    def is_due(self, arl: float) -> bool:
        """Return whether an alarm still stands when the run length must be ``arl``; ask after an alarm."""
        harm = self.harm
        if harm is None:
            return False
        if arl > harm.arl:
            harm.aim(harm.bound, arl, harm.inflation)
        return harm.evidence >= harm.limit * (1.0 - 1e-9)

    def ease(self) -> None:
        """Keep ``EASED`` of the evidence: what it proved is not, or not yet, worth a page."""
        if self.harm is not None:
            self.harm.ease(EASED)

    def calm(self) -> None:
        """Forget the evidence: what it proved is told, or over."""
        if self.harm is not None:
            self.harm.calm()

    def is_suspected(self) -> bool:
        """Return whether there is some evidence of harm."""
        harm = self.harm
        return harm is not None and harm.evidence > harm.limit**0.5

    @property
    def is_promised(self) -> bool:
        """Whether the reference is an objective, which nothing that is seen changes."""
        return self.due == PROMISED

    @property
    def is_whole(self) -> bool:
        """Whether nothing is learned any more: it is promised, given by a file, or of enough losses and a week."""
        is_enough = self.harm is not None and self.known >= MOST and self.is_seasoned
        return self.due in (PROMISED, GIVEN) or is_enough

    @property
    def inflation(self) -> float:
        """How much dependence widens the variance of a mean; 1 while nothing is known."""
        return self.harm.inflation if self.harm is not None else 1.0

    def heir(self) -> Guard | None:
        """Return the next version's guard: the same reference, no evidence; ``None`` without a learned one.

        While it is not whole, the next version's losses go on with it: many versions live for hours only.
        """
        harm = self.harm
        if harm is None or self.is_promised:
            return None
        goes_on = self.learning or not self.is_whole
        anew = Level() if goes_on else FROZEN
        return Guard(
            self.cut,
            level=copy(self.level) if self.learning else anew,
            total=self.total if self.learning else 0.0,
            harm=edetector(harm.bound, harm.arl, harm.inflation),
            known=self.known,
            known_total=self.known_total,
            learning=goes_on,
            due=self.due if self.learning or self.due == GIVEN else max(2 * self.known, FEWEST),
            memory=self.memory,
            quantile=self.quantile,
            is_seasoned=self.is_seasoned,
            known_lost=self.known_lost,
        )
