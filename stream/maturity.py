"""Core. How much of a model's predictions is labelled by now, and how much usually is at their age.

Predictions are counted in cohorts by event time, their labels in the same cohorts, label delays by powers of two
seconds. From the delays and from what was labelled in the end follows the usual share at any age: the chain ladder
of insurers (Mack 1993), with one pattern of development for all cohorts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import floor, inf, nan
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from stream.cycle import Count, Cycle, Rise
from stream.development import DELAYS, Development, Made, Pattern
from stream.events import Finding
from stream.gaps import SHORTEST_S, Gaps
from stream.traffic import DAY_S, heard

COHORTS = 96
AGES = 72
"""Cohorts within the label horizon; the others are past it, and are what was labelled in the end."""
WIDTH_S = 3_600.0
"""Of a cohort at least: an hour, for a horizon of up to ``AGES`` hours."""
EMPTY, HALF = -(2**62), 0.5
MANY = 65_536
"""Counts beyond which the past counts half."""
RIPE = 0.9
"""Of the usual share in the end, that is labelled usually at its age and really, for a cohort to be mature."""
BACK, FEW = 0.5, 4
"""The share of the usual labels that ends a starvation, and how many at least."""


class Share(NamedTuple):
    """One cohort: labelled predictions of all, the usual share at its age, and the sum of the losses."""

    began_at: float
    predictions: int
    labelled: int
    usual: float
    loss_total: float


class Cohorts:
    """A ring of cohorts in flat arrays; ``marks`` are their numbers since the epoch, ``EMPTY`` without one."""

    __slots__ = ("labelled", "losses", "marks", "predictions")

    def __init__(self, cells: Sequence[bytes] | None = None) -> None:
        zeros = bytes(4 * COHORTS)
        empty = array("q", [EMPTY] * COHORTS).tobytes()
        marks, predictions, labelled, losses = cells or (empty, zeros, zeros, bytes(8 * COHORTS))
        self.marks, self.predictions = array("q", marks), array("I", predictions)
        self.labelled, self.losses = array("I", labelled), array("d", losses)

    def fields(self) -> tuple[bytes, ...]:
        """Return what the constructor takes."""
        return tuple(one.tobytes() for one in (self.marks, self.predictions, self.labelled, self.losses))


class Maturity(Struct, array_like=True, gc=False):
    """The cohorts and label delays of one model. ``width_s``: event time of a cohort."""

    width_s: float = WIDTH_S
    cohorts: Cohorts = field(default_factory=Cohorts)
    """All but the newest, which is in the five fields that follow: nearly all predictions are in it."""
    began_at: float = inf
    ends_at: float = -inf
    predictions: int = 0
    labels: int = 0
    loss_total: float = 0.0
    delays: list[int] = field(default_factory=lambda: [0] * DELAYS)
    ripe_predictions: int = 0
    """Of cohorts that have left the ring, and how many of them were labelled; what is long past counts less."""
    ripe_labelled: int = 0
    seen_at: float = nan
    """The partition's clock at the newest label; nan before the first. Then what it had lost by then.

    While a ticket is open: since when the labels are counted that may end it, in its ``events_since_onset``.
    """
    lost_s: float = 0.0
    gaps: Gaps = field(default_factory=Gaps)
    limit: float = inf
    """In labels, when it was reckoned last."""
    episode: int = 0
    finding: Finding | None = None
    cycle: Cycle = field(default_factory=Cycle)
    """Of the cohorts that have left the ring."""
    development: Development = field(default_factory=Development)

    def predicted(self, at: float) -> None:
        """Count a prediction of this event time (epoch seconds); one before the ring counts nowhere."""
        if self.began_at <= at < self.ends_at:
            self.predictions += 1
            return
        mark = floor(at / self.width_s)
        if at >= self.ends_at:
            if self.predictions:
                self._file()
            self.began_at, self.ends_at = mark * self.width_s, (mark + 1) * self.width_s
            self.predictions, self.labels, self.loss_total = 1, 0, 0.0
        elif (place := self._place(mark)) >= 0:
            self.cohorts.predictions[place] += 1

    def _file(self) -> None:
        """Put the newest cohort into the ring."""
        cohorts, place = self.cohorts, self._place(floor(self.began_at / self.width_s + HALF))
        if place >= 0:
            cohorts.predictions[place] += self.predictions
            cohorts.labelled[place] += self.labels
            cohorts.losses[place] += self.loss_total

    def _place(self, mark: int) -> int:
        """Return where the cohort of this number is, made if there is none; -1 when it has left the ring."""
        cohorts, place = self.cohorts, mark % COHORTS
        if cohorts.marks[place] == mark:
            return place
        if cohorts.marks[place] > mark:
            return -1
        self.ripe_predictions += cohorts.predictions[place]
        self.ripe_labelled += cohorts.labelled[place]
        if self.ripe_predictions > MANY:
            self.ripe_predictions //= 2
            self.ripe_labelled //= 2
        left = Count(cohorts.marks[place] * self.width_s, cohorts.labelled[place], cohorts.losses[place])
        self.cycle.learn(left, self.width_s)
        cohorts.marks[place], cohorts.predictions[place] = mark, 0
        cohorts.labelled[place], cohorts.losses[place] = 0, 0.0
        return place

    def labelled(
        self, at: float, delay_s: float, loss: float, scale: float, now: float, lost_s: float
    ) -> None:
        """Take a label of a prediction of event time ``at``; the partition's clock stands at ``now``.

        ``scale`` is a large loss, 0 while it is not known what is large.
        """
        if self.finding is None and now - self.seen_at > SHORTEST_S and self.ripe_labelled:
            self.gaps.turn(int(now // DAY_S))
            self.gaps.note(min(self.missed(now, lost_s), self.limit))
        self.heard(now, lost_s)
        self.delays[int(delay_s).bit_length() if delay_s > 0.0 else 0] += 1
        self.development.take(delay_s, loss, scale)
        if self.began_at <= at < self.ends_at:
            self.labels += 1
            self.loss_total += loss
        else:
            self.revised(at, loss, 1)

    def heard(self, now: float, lost_s: float) -> None:
        """Take a label that can't be compared: none is missed meanwhile, and it says nothing else."""
        if self.finding is None:
            self.seen_at, self.lost_s = now, lost_s
        else:
            self.finding = replace(self.finding, events_since_onset=self.finding.events_since_onset + 1)

    def revised(self, at: float, loss: float, labels: int) -> None:
        """Add to the losses of the cohort of this event time, and to its labels; nowhere once it has left.

        What would leave fewer labels than none is of one that was counted nowhere.
        """
        if self.began_at <= at < self.ends_at:
            if self.labels + labels >= 0:
                self.labels += labels
                self.loss_total += loss
            return
        mark, cohorts = floor(at / self.width_s), self.cohorts
        place = mark % COHORTS
        if cohorts.marks[place] == mark and cohorts.labelled[place] + labels >= 0:
            cohorts.labelled[place] += labels
            cohorts.losses[place] += loss

    def final(self) -> float:
        """Return the share that is labelled in the end; nan before a cohort has left the ring."""
        return self.ripe_labelled / self.ripe_predictions if self.ripe_predictions else nan

    def usual(self, age_s: float) -> float:
        """Return the share of predictions of this age that is usually labelled; nan before one is known."""
        return self._pattern().usual(age_s)

    def _pattern(self) -> Pattern:
        arrived = [*accumulate(self.delays, initial=0)]
        return Pattern(self.final(), arrived)

    def missed(self, now: float, lost_s: float) -> float:
        """Return how many labels would have come since the newest one, in the time that was heard; nan if unknown.

        A cohort's predictions are taken to lie at the quarters of its time.
        """
        pattern, seen_at, quarter_s, total = self._pattern(), self.seen_at, self.width_s / 4, 0.0
        for began_at, count, *_ in self._rows():
            at = began_at + quarter_s
            if pattern.is_open(seen_at - at):
                for one in (at, at + 2 * quarter_s):
                    total += count / 2 * (pattern.usual(now - one) - pattern.usual(seen_at - one))
        return total * heard(self.seen_at, now, lost_s - self.lost_s)

    def is_starved(self, now: float, lost_s: float, odds: float, labels_a_day: float) -> bool:
        """Return whether no label came for longer than on any usual day though predictions wait for theirs.

        Days count from when the usual share in the end is known. What is told is not told again.
        """
        if max(self.delays) > MANY:
            self.delays = [one // 2 for one in self.delays]
        if self.finding is not None:
            return False
        if self.seen_at == self.seen_at and self.ripe_labelled:
            self.gaps.turn(int(self.seen_at // DAY_S))
        if not now - self.seen_at >= SHORTEST_S:
            return False
        self.limit = self.gaps.limit(odds, labels_a_day)
        return self.limit < inf and self.missed(now, lost_s) >= self.limit

    def is_back(self, now: float, lost_s: float) -> bool:
        """Return whether a starvation is over: ``BACK`` of the usual labels come again, and ``FEW`` at least.

        Where fewer came in the time of those by which it was told they are a rest, as those of predictions made
        before, and are counted anew from now on.
        """
        told = self.finding
        if told is None:
            return False
        came, usual = told.events_since_onset, self.missed(now, lost_s)
        is_over = came >= max(FEW, BACK * usual)
        if is_over:
            self.gaps.turn(int(now // DAY_S))
            self.gaps.note(self.limit)
        if is_over or usual >= told.before_count:
            self.seen_at, self.lost_s = now, lost_s
            self.finding = replace(told, events_since_onset=0)
        return is_over

    def shares(self, now: float) -> Iterator[Share]:
        """Yield the cohorts, oldest first; the usual share is that of the age of a cohort's middle."""
        pattern = self._pattern()
        for began_at, count, labelled, loss in sorted(self._rows()):
            usual = pattern.usual(now - began_at - self.width_s / 2)
            yield Share(began_at, count, labelled, usual, loss)

    def _rows(self) -> Iterator[tuple[float, int, int, float]]:
        cohorts = self.cohorts
        rows = zip(cohorts.marks, cohorts.predictions, cohorts.labelled, cohorts.losses, strict=True)
        for mark, count, labelled, loss in rows:
            if mark != EMPTY:
                yield mark * self.width_s, count, labelled, loss
        if self.predictions:
            yield self.began_at, self.predictions, self.labels, self.loss_total

    def rise(self, since: float, known: float, least: float) -> Rise:
        """Return what a rise of the mean loss is held against that began ``since`` (``stream.cycle``)."""
        rows = (Count(began_at, labelled, total) for began_at, _, labelled, total in self._rows() if labelled)
        return self.cycle.rise(rows, self.width_s, since, known, least)

    def made(self, since: float, until: float) -> Iterator[Made]:
        """Yield when predictions were made from ``since`` on; ``until``: the newest."""
        for began_at, count, *_ in self._rows():
            first, last = max(began_at, since), min(began_at + self.width_s, until)
            if first < last:
                yield Made(first, last, count * (last - first) / (last - began_at))

    def mature(self, now: float) -> tuple[int, float]:
        """Return labels and losses of the mature cohorts: those that are labelled as far as they will be.

        What is in of a younger one is a biased sample: its quick labels.
        """
        final = self.final()
        ripe = [
            one
            for one in self.shares(now)
            if min(one.usual, one.labelled / max(one.predictions, 1)) >= RIPE * final
        ]
        return sum(one.labelled for one in ripe), sum(one.loss_total for one in ripe)


def width(label_horizon_s: float) -> float:
    """Return the width of a cohort (seconds) for a label horizon."""
    return max(WIDTH_S, label_horizon_s / AGES)
