"""Core. One series: what is known of a model version in one slice.

A figure is a sum and a count of losses, so it is exact in whatever order outcomes come, can be merged, and can be
revised when an outcome is corrected. The loss is 1 for a wrong class (accuracy is one minus its mean), or the
absolute error (its mean is the MAE); ``tests/laws`` holds both to River's metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Literal

import msgspec
from msgspec import Struct

from stream.detectors import Detector
from stream.events import Finding, Label, Task
from stream.history import History
from stream.joined import Reason, Served
from stream.judge.guard import HALF, Guard
from stream.judge.recovery import Recovery

Metric = Literal["accuracy", "mae"]

SCALE = 4.0
"""A regression loss is divided by this many times the usual one, then cut at 1. Usual is the median of the means
of the first ones in groups, so that a few broken values don't make all others look small."""
LARGEST = 1e100
"""A regression's error beyond this is a broken value; sums of smaller ones and their squares stay finite."""
RECENT = 256
EXAMPLES = 10


def task_of(served: Served) -> Task:
    """A number without scores is a regression; everything else is a classification."""
    return "regression" if not served.has_scores and is_number(served.prediction) else "classification"


def is_number(label: Label) -> bool:
    """Return whether a label is a number; a bool is a class."""
    return isinstance(label, float) or (isinstance(label, int) and not isinstance(label, bool))


def is_comparable(task: Task, prediction: Label, outcome: Label) -> bool:
    """Return whether the outcome is of the prediction's kind: text with text, number or bool with such.

    An error beyond ``LARGEST`` compares nothing: one of them would drown all others in every sum.
    """
    if task == "regression":
        return is_number(outcome) and abs(float(prediction) - float(outcome)) <= LARGEST
    return isinstance(prediction, str) == isinstance(outcome, str)


def loss_of(task: Task, prediction: Label, outcome: Label) -> float:
    """Return 1 for a wrong class and 0 for the right one, or a regression's absolute error in its own unit.

    The two must be comparable: see ``is_comparable``.

    Raises:
        ValueError: a regression's label is text that is no number.
    """
    if task == "classification":
        return 0.0 if prediction == outcome else 1.0
    return abs(float(prediction) - float(outcome))


class Rested(Struct, array_like=True, gc=False):
    """What a closed finding rests on: the losses of predictions between two instants, how many and their sum."""

    finding: Finding
    since: float
    until: float
    losses: int
    total: float


class Ended(Struct, array_like=True, gc=False, frozen=True):
    """What is remembered of a finding of the errors that was closed because its version ended."""

    slice: str
    onset_at: float
    closed_at: float


class Series(Struct, array_like=True, gc=False):
    """Figures, recent history and detector of one model x version x slice.

    ``outcomes`` are those that matched; ``loss_total`` is the sum of their losses, corrections included.
    ``scale`` is 0 while a regression's first losses are still being measured; ``finding`` is the open one.
    """

    task: Task
    detector: Detector
    history: History
    predictions: int = 0
    outcomes: int = 0
    loss_total: float = 0.0
    late: int = 0
    duplicates: int = 0
    corrected: int = 0
    unmatched: int = 0
    newest_at: float = float("-inf")
    scale: float = 1.0
    first_total: float = 0.0
    episode: int = 0
    examples: tuple[str, ...] = ()
    finding: Finding | None = None
    guard: Guard = msgspec.field(default_factory=Guard)
    longest: int = 0
    """Not used any more; like ``opened`` it keeps the places of the others in bytes of older schemas."""
    withdrawn: int = 0
    """Outcomes that left the figure again: their correction is of another kind."""
    opened: int = 0
    rested: Rested | None = None
    """Of the newest finding that was closed by its losses."""
    place: int = 0
    """Where its cells begin in the sums of its version; they are allotted when the series begins."""
    back: float = 0.0
    """How much loss since the open finding's onset corrections took back."""
    well_at: float = float("-inf")
    """Event time from which on the newest harm of the whole that was told is over."""
    taken_back_at: float = float("-inf")
    """Event time of the newest prediction whose loss became less by a correction."""

    @property
    def metric(self) -> Metric:
        """The name of the figure."""
        return "accuracy" if self.task == "classification" else "mae"

    def learn(
        self, at: float, loss: float, example: str, warmup: int, arl: float, increase: float, is_mature: bool
    ) -> bool:
        """Take one matched outcome's loss; return whether harm is proved.

        ``example`` is the prediction's id, kept while it is one of the newest that went wrong. ADWIN alone
        judges from ``warmup`` losses on until there is a reference; from then on the harm detector, at a run
        length of ``arl`` losses for a relative rise of ``increase``. Nothing is judged nor learned as a reference
        while the labels are no fair sample; what ADWIN saw rise in that time is judged at the next fair one.
        """
        proved = is_mature and self.guard.take(loss, arl, increase)
        self.outcomes += 1
        self.loss_total += loss
        self.history.add(at, loss)
        scale = self.scale
        if not scale:
            self._calibrate(loss, warmup)
            return proved and self.guard.is_due(arl)
        if loss * SCALE > scale:
            self.examples = (*self.examples[1 - EXAMPLES :], example)
        if self.guard.harm is not None:
            if self.detector.seen:
                self.detector.restart()
            return proved and self.guard.is_due(arl)
        detector = self.detector
        detector.update(loss / scale if loss < scale else 1.0)
        return detector.risen > 0 and is_mature and self.outcomes >= warmup and detector.is_due()

    def _calibrate(self, loss: float, warmup: int) -> None:
        self.first_total += loss
        if self.outcomes >= warmup:
            means = (one.total / one.losses for one in self.history.buckets() if one.losses)
            self.scale = SCALE * (median(means) or self.first_total / self.outcomes) or 1.0
            self.history.cut(self.scale)

    def count(self, reason: Reason) -> None:
        """Count an event that did not match."""
        if reason is Reason.UNMATCHED_PREDICTION or reason is Reason.EVICTED:
            self.unmatched += 1
        elif reason is Reason.LATE:
            self.late += 1
        elif reason is Reason.CORRECTED:
            self.corrected += 1
        else:
            self.duplicates += 1

    def rest(self, finding: Finding, newest: int) -> None:
        """Remember the ``newest`` losses, by which ``finding`` was closed: corrections may take that back."""
        span = self.history.newest(newest)
        self.rested = Rested(finding, span.began_at, self.newest_at, span.losses, span.total)

    def heed_end(self, of: Rested) -> None:
        """Take note that a harm of the whole is over: so is a rise here, unless the losses since are as high."""
        self.well_at = of.since
        history, onset_at = self.history, of.finding.onset_at
        usual, well, both = history.before(onset_at), history.since(of.since), history.since(onset_at)
        ill = both.losses - well.losses
        if not ill or 2.0 * well.mean <= usual.mean + (both.total - well.total) / ill:
            self.detector.risen = 0

    def rest_until(self, at: float) -> None:
        """Forget the evidence of what began before ``at``: another one has told it, and its end."""
        self.well_at = max(self.well_at, at)
        self.guard.calm()
        self.detector.restart()

    def revise(self, at: float, previous: float, loss: float, example: str = "") -> None:
        """Replace one loss that came with event time ``at``, in its own unit; what detectors saw stays seen."""
        self.loss_total += loss - previous
        if loss < previous:
            self.taken_back_at = max(self.taken_back_at, at)
        if self.finding is not None and at >= self.finding.onset_at:
            self.back += previous - loss
        if (recovery := self._recovery(at)) is not None:
            recovery.revise(previous, loss)
        self.history.revise(at, previous, loss, self._most())
        if loss * SCALE <= self.scale:
            self._spare(example)

    def withdraw(self, at: float, loss: float, example: str = "") -> None:
        """Take one loss out that came with event time ``at``; what detectors saw stays seen."""
        self.loss_total -= loss
        self.outcomes -= 1
        self.withdrawn += 1
        self.taken_back_at = max(self.taken_back_at, at)
        if self.finding is not None and at >= self.finding.onset_at:
            self.back += loss - self.shown(self.finding.before)
        if (recovery := self._recovery(at)) is not None:
            recovery.withdraw(loss)
        self.history.withdraw(at, loss, self._most())
        self._spare(example)

    def is_shaken(self, onset_at: float) -> bool:
        """Return whether corrections took back loss since an onset, or of what the evidence was made of."""
        harm = self.guard.harm
        since = self.history.newest(harm.losses_since_onset).began_at if harm is not None else onset_at
        return self.taken_back_at >= min(since, onset_at)

    def _most(self) -> float:
        return 1.0 if self.task == "classification" else LARGEST

    def _recovery(self, at: float) -> Recovery | None:
        """Return the recovery from the open finding's harm if its good stretch goes back to this time."""
        found = self.guard.recovery
        if self.finding is None or found is None or found.ended or not found.well:
            return None
        return found if at >= self.history.newest(found.well).began_at else None

    def _spare(self, example: str) -> None:
        if example in self.examples:
            self.examples = tuple(one for one in self.examples if one != example)

    def wait(self, losses: int) -> None:
        """Make no first reference, nor have ADWIN see anything, of the newest losses, nor of so many more."""
        if self.guard.harm is None:
            self.guard.wait(losses)
            self.detector.restart()

    def open(self, finding: Finding) -> None:
        """Take note of a finding: its harm is told, and no reference is learned from it."""
        self.episode, self.finding, self.back = finding.episode, finding, 0.0
        self.detector.restart()
        self.guard.calm()
        self.guard.freeze()

    def shown(self, mean_loss: float) -> float:
        """Turn a mean loss into the figure's terms: accuracy is one minus the error rate; nan stays nan."""
        return 1.0 - mean_loss if self.task == "classification" else mean_loss

    def rollout(self) -> float:
        """The figure since the version's first event; nan before the first outcome."""
        return self.shown(self.loss_total / self.outcomes) if self.outcomes else float("nan")

    def recent(self) -> float:
        """The figure over about the newest 256 outcomes; nan before the first."""
        return self.shown(self.history.newest(RECENT).mean)


def widest(route: Iterable[Series]) -> float:
    """Return where a loss is cut that is compared in all of these series; 0 while that is not known."""
    return max(one.scale for one in route)


def new_series(task: Task, delta: float) -> Series:
    """Return the series of a version and slice that nothing is known of yet."""
    scale = 1.0 if task == "classification" else 0.0
    return Series(task, Detector(delta=delta), History(), scale=scale, guard=new_guard(task))


def new_guard(task: Task) -> Guard:
    """Return the guard of errors that no reference is known of yet."""
    return Guard(HALF) if task == "classification" else Guard()
