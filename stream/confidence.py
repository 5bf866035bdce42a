"""Core. How sure a version was of what it said, and how often it was right: what its accuracy is estimated by.

Predictions with scores are counted by what was said and by the bin of the score, in cohorts by event time, and
their labels in the same cells. A cohort is closed when the partition's clock and the outcomes' clock are both two
label horizons past it: the join lets nothing change it any more, however the two topics interleave. The estimate
of a cohort is calibrated by predictions that were a label horizon old when it began, whose labels were all known.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import ceil, floor, inf
from typing import Any, Final

from stream.estimate import CELLS, LABELLED, PREDICTED, RIGHT, Estimate, estimate
from stream.events import Label
from stream.figures.sums import FINE, Scores
from stream.held import NONE_HELD, Comparison, restored_held
from stream.said import score_of

PARTS: Final = 8
"""Cohorts in a label horizon."""
SHORTEST_S: Final = 3_600.0
"""Of a cohort at least."""
HORIZONS: Final = 2
"""Label horizons after which nothing changes a cohort; see ``stream.join``."""
EDGES: Final = sorted((*FINE, *(step / 20 for step in range(1, 20)), *(1.0 - edge for edge in FINE)))
"""Inner borders of the score bins: twentieths, finer at both ends. A shift of scores within a bin is not seen;
what it leaves falls with the square of the width."""
BINS: Final = len(EDGES) + 1
GROUPS: Final = 3
"""Of what was said: the first two classes of a version have columns of their own, all others share some."""
OTHERS: Final = (GROUPS - 1) * BINS
"""The first bin of all other classes."""
COHORTS: Final = 48
"""That wait for labels, are in a batch, or too new to calibrate: 43, unless the outcomes' clock stands still."""
ENOUGH, MOST = 100, 16
"""Labels of a batch that is held against its estimate, and cohorts in one that gets no more labels."""
MANY: Final = 65_536
"""Calibrating labels beyond which the past counts half."""
NONE: Final = -(2**62)

# what a version without scores has, of which there are many; nothing is ever written into these
NOWHERE: Final = array("i", [-1] * (GROUPS * BINS))
NO_CLASSES: Final[Mapping[Label, int]] = {}
NO_CELLS: Final = array("I")
NO_COUNTS: Final = array("q")


class Confidence:
    """Counts of one version; ``horizon_s``: how long its predictions wait for labels, 0 while that is not known.

    Only predictions of later cohorts than that of ``after`` (epoch seconds) are counted.
    A column is three cells (``stream.estimate``); ``places`` tells by class and bin of the score where it begins.
    """

    __slots__ = (
        "_began_at",
        "_cells",
        "_ends_at",
        "_over_at",
        "batch",
        "batched",
        "calibration",
        "classes",
        "closed",
        "cohorts",
        "forgotten",
        "held",
        "horizon_s",
        "places",
        "wide",
        "width_s",
    )

    def __init__(self, horizon_s: float = 0.0, after: float = -inf) -> None:
        self.horizon_s = horizon_s
        self.width_s = max(horizon_s / PARTS, SHORTEST_S)
        self.closed = floor(after / self.width_s) if after > -inf else NONE
        """The number, since the epoch, of the newest cohort that is closed; nothing is counted up to it."""
        self.classes = NO_CLASSES
        self.places = NOWHERE
        self.wide = 0
        """Cells of all columns."""
        self.cohorts: dict[int, array[int]] = {}
        self.batch = NO_COUNTS
        """Empty stands for zeros."""
        self.batched: tuple[int, ...] = ()
        """Cohorts in the batch."""
        self.calibration = NO_COUNTS
        """Of closed cohorts that are old enough for the batch; they are in ``cohorts`` no more."""
        self.held = NONE_HELD
        self.forgotten = 0
        """Predictions whose cohort had to make room before it calibrated anything."""
        self._began_at, self._ends_at, self._over_at = inf, -inf, -inf
        self._cells = NO_CELLS

    def predicted(self, at: float, said: Label, scores: Scores, now: float) -> None:
        """Count a prediction of event time ``at``, new to the join; the partition's clock stands at ``now``.

        ``scores``: none count nowhere. A lone score and what was said need not be of the same class.
        """
        if scores is None:
            return
        if self._began_at <= at < self._ends_at and now <= self._over_at:
            cells = self._cells
        elif (found := self._cohort(at, now)) is not None:
            cells = found
        else:
            return
        base = self.classes.get(said)
        if base is None:
            base = self._group(said)
        key = base + bisect_right(EDGES, scores if isinstance(scores, float) else score_of(said, scores))
        place = self.places[key]
        if place < 0:
            place = self._allot(key)
        cells[place] += 1

    def labelled(self, at: float, said: Label, scores: Scores, is_right: bool) -> None:
        """Count the label of a prediction of event time ``at``; nowhere if that was counted nowhere."""
        if scores is None:
            return
        if self._began_at <= at < self._ends_at:
            cells = self._cells
        elif (found := self.cohorts.get(floor(at / self.width_s))) is not None:
            cells = found
        else:
            return
        place = self._place(said, scores)
        if place >= 0:
            cells[place + LABELLED] += 1
            if is_right:
                cells[place + RIGHT] += 1

    def revised(self, at: float, said: Label, scores: Scores, labels: int, right: int) -> None:
        """Add to the labels, and to the right ones, where this prediction is counted.

        What would leave fewer than none is of a prediction that was forgotten, and counts nowhere.
        """
        cells = self.cohorts.get(floor(at / self.width_s))
        place = self._place(said, scores) if cells is not None else -1
        if cells is None or place < 0:
            return
        known, hits = cells[place + LABELLED] + labels, cells[place + RIGHT] + right
        if 0 <= hits <= known:
            cells[place + LABELLED], cells[place + RIGHT] = known, hits

    def _place(self, said: Label, scores: Scores) -> int:
        """Return where the column of a prediction begins; -1 if none such was counted."""
        if scores is None:
            return -1
        base = self.classes.get(said, OTHERS)
        return self.places[
            base + bisect_right(EDGES, scores if isinstance(scores, float) else score_of(said, scores))
        ]

    def _group(self, said: Label) -> int:
        """Return the first bin of a class that has none of its own yet."""
        base = len(self.classes) * BINS
        if base < OTHERS:
            self.classes = {**self.classes, said: base}
        return base

    def _allot(self, key: int) -> int:
        """Give a column to what has none yet."""
        if self.places is NOWHERE:
            self.places = array("i", NOWHERE)
        place = self.places[key] = self.wide
        self.wide += CELLS
        for cells in (self.calibration, self.batch, *self.cohorts.values()):
            if cells is not NO_COUNTS:
                cells.extend((0,) * CELLS)
        return place

    def _cohort(self, at: float, now: float) -> array[int] | None:
        """Return the cells of a prediction's cohort, made if there are none; ``None`` when it is over."""
        mark, cohorts = floor(at / self.width_s), self.cohorts
        if mark <= self.closed or self._is_over(mark, now):
            return None
        cells = cohorts.get(mark)
        if cells is None:
            if len(cohorts) >= COHORTS and not self._makes_room(mark):
                return None
            cells = cohorts[mark] = array("I", bytes(4 * self.wide))
            if mark >= max(cohorts):
                self._renew(mark)
        return cells

    def _renew(self, newest: int) -> None:
        self._began_at, self._ends_at = newest * self.width_s, (newest + 1) * self.width_s
        self._over_at = self._ends_at + HORIZONS * self.horizon_s
        self._cells = self.cohorts[newest]

    def _is_over(self, mark: int, now: float) -> bool:
        return (mark + 1) * self.width_s + HORIZONS * self.horizon_s < now

    def _makes_room(self, mark: int) -> bool:
        """Forget the oldest cohort for one of this number, or the prediction that would begin an older one."""
        oldest = min(self.cohorts)
        if mark < oldest:
            self.forgotten += 1
            return False
        cells = self.cohorts.pop(oldest)
        self.forgotten += sum(cells[PREDICTED::CELLS])
        self.closed = max(self.closed, oldest)
        return True

    # -- what becomes of them

    def close(self, now: float) -> None:
        """Close what is over when both clocks stand at ``now`` at least: it calibrates, and is held."""
        due = [mark for mark in self.cohorts if mark > self.closed and self._is_over(mark, now)]
        for mark in sorted(due):
            if not self.batched:
                self._calibrate(self._aged(mark))
            self.closed = mark
            self.batched = (*self.batched, mark)
            self.batch = _total(self.batch, self.cohorts[mark])
            if sum(self.batch[LABELLED::CELLS]) >= ENOUGH or len(self.batched) == MOST:
                self._hold()

    def _aged(self, mark: int) -> list[int]:
        """Return the cohorts whose predictions were a horizon old when that of this number began, oldest first."""
        newest = mark - 1 - ceil(self.horizon_s / self.width_s)
        return sorted(one for one in self.cohorts if one <= newest)

    def _calibrate(self, marks: Sequence[int]) -> None:
        for mark in marks:
            self.calibration = _total(self.calibration, self.cohorts.pop(mark))
            if sum(self.calibration[LABELLED::CELLS]) > MANY:
                self.calibration = array("q", (one // 2 for one in self.calibration))

    def _hold(self) -> None:
        """Hold what is labelled: it may be another mix of scores than all predictions are."""
        made = estimate(self.batch[LABELLED::CELLS], self.calibration)
        if made.value == made.value:
            realised = sum(self.batch[RIGHT::CELLS]) / made.predictions
            began_at, ended_at = self.batched[0] * self.width_s, (self.batched[-1] + 1) * self.width_s
            self.held = self.held.with_one(Comparison(began_at, ended_at, realised, made))
        self.batch, self.batched = NO_COUNTS, ()

    def newest(self) -> Estimate:
        """Return the estimate of the newest predictions: of two open cohorts, or as many as hold ``ENOUGH``."""
        marks: list[int] = []
        predictions = 0
        for mark in sorted((one for one in self.cohorts if one > self.closed), reverse=True):
            if len(marks) > 1 and predictions >= ENOUGH:
                break
            marks.append(mark)
            predictions += sum(self.cohorts[mark][PREDICTED::CELLS])
        if not marks:
            return estimate((), ())
        aged = (self.cohorts[mark] for mark in self._aged(marks[-1]))
        counts = _total(*(self.cohorts[mark] for mark in marks))
        return estimate(counts[PREDICTED::CELLS], _total(self.calibration, *aged))

    # -- bytes

    def state(self) -> list[Any]:
        """Return what ``restored_confidence`` takes."""
        cohorts = [(mark, cells.tobytes()) for mark, cells in sorted(self.cohorts.items())]
        zeros = bytes(8 * self.wide)
        begun = self.batch.tobytes() or zeros, self.batched, self.calibration.tobytes() or zeros
        known = self.horizon_s, self.closed, [*self.classes.items()], self.places.tobytes(), cohorts
        return [*known, *begun, self.held, self.forgotten]


def restored_confidence(state: Sequence[Any]) -> Confidence:
    """Return the counts that gave this state.

    Raises:
        ValueError, TypeError: not a state.
    """
    horizon_s, closed, classes, places, cohorts, batch, batched, calibration, held, forgotten = state
    found = Confidence(horizon_s)
    found.closed, found.classes = closed, dict(map(tuple, classes)) or NO_CLASSES
    if classes:
        found.places, found.wide = array("i", places), len(batch) // 8
    found.batch, found.calibration = (
        array("q", cells) if any(cells) else NO_COUNTS for cells in (batch, calibration)
    )
    found.batched, found.held, found.forgotten = tuple(batched), restored_held(held), forgotten
    found.cohorts = {mark: array("I", cells) for mark, cells in cohorts}
    if found.cohorts:
        found._renew(max(found.cohorts))
    return found


def _total(*parts: array[int]) -> array[int]:
    """Return the sums of arrays of one length; an empty one stands for zeros."""
    return array("q", map(sum, zip(*filter(None, parts), strict=True)))
