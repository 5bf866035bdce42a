"""Core. What is judged of a version beside its errors: probabilities, each class's recall, a regression's bias.

| aspect | loss whose large values are counted | value told |
|---|---|---|
| log loss | minus the log of the probability of what happened | its mean |
| Brier | the squared error of the probabilities, halved for two classes | its mean |
| calibration | 1 - u, u the randomised probability integral transform | how much more often wrong than said |
| recall of a class | 1 if something else was said, of its outcomes | its mean, as one minus it |
| bias, either side | what the error is beyond 0 on that side | the mean signed error |
| typical error | the absolute error, large from the middle on | none: the errors tell it, with their mean |

The randomised transform (Smith 1985; Czado, Gneiting and Held 2009) of a prediction that said its class with
probability ``c`` is uniform within 0..``1 - c`` if it was wrong and within ``1 - c``..1 if not; for calibrated
probabilities it is uniform whatever ``c`` is, so that other scores alone are no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from math import inf, log
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from stream.aspect import Aspect, Case
from stream.events import Label, Metric, Task
from stream.figures.sums import CLASSES, HALVED, LEAST, OTHER, Scores, name_in, word
from stream.judge.guard import HALF, QUANTILE, Guard

BEGIN: Final = 200
"""Outcomes of a version from which on it has aspects, unless it inherited some: many versions get few labels."""
UPPER: Final = 0.75
"""The quantile of the Brier score's cut: it sees what moves in the upper quarter, the log loss the worst tenth."""
FARTHEST: Final = -log(LEAST)
MIDDLE: Final = 0.5
"""The quantile of a typical error: the errors' own cut sees the worst tenth only."""
LOG_LOSS, BRIER, CALIBRATION, ABOVE, BELOW = "log_loss", "brier", "calibration", "above", "below"
TYPICAL: Final = "typical"
NAMES: Final[Mapping[Task, frozenset[str]]] = {
    "classification": frozenset((LOG_LOSS, BRIER, CALIBRATION)),
    "regression": frozenset((ABOVE, BELOW, TYPICAL)),
}
"""Of what there is one of; a classification has recalls besides."""
WIDEST: Final = 10.0
"""An error counts as at most this many times the larger cut: one broken value says nothing of the bias."""
Scored: TypeAlias = float | Mapping[str, float]
Chances: TypeAlias = tuple[float, float, float]
"""The probabilities of what happened and of what was said, and the squared error of all of them."""


class Proof(NamedTuple):
    """What a loss says of its aspect: harm is proved, or a finding is open. ``label``: the class, or the side."""

    metric: Metric
    aspect: Aspect
    loss: float
    is_proved: bool
    label: str | None = None


class Aspects(Struct, array_like=True, gc=False):
    """The aspects of one version: by name, and of each class's recall."""

    named: dict[str, Aspect] = {}
    recalls: dict[str, Aspect] = {}
    is_resting: bool = False
    """Whether no reference is learned: harm is told."""

    def are_due(self, outcomes: int) -> bool:
        """Return whether a version with so many outcomes is judged by them."""
        return outcomes >= BEGIN or bool(self.named or self.recalls)

    def of_a_label(self, task: Task) -> int:
        """Return in how many aspects a label is a loss, at most: its share of the budget."""
        return len(self.named) + (task == "classification" and bool(self.recalls))

    def all(self) -> Iterator[Aspect]:
        """Yield every aspect."""
        yield from self.named.values()
        yield from self.recalls.values()

    def rest(self, is_told: bool) -> None:
        """Learn nothing while a harm is told, also in aspects that begin meanwhile; go on once none is."""
        self.is_resting = is_told
        for one in self.all():
            if is_told:
                one.freeze()
            else:
                one.resume()

    def told_at(self) -> float:
        """Return the event time of the newest prediction that an open finding rests on; -inf without one."""
        return max((one.told_at for one in self.all() if one.finding is not None), default=-inf)

    def take(self, task: Task, said: Label, happened: Label, scores: Scores, case: Case) -> Sequence[Proof]:
        """Take one label, comparable with what was said; return what it proves, mostly nothing."""
        if task == "regression":
            return self._erred(float(said) - float(happened), case)
        is_wrong = said != happened
        name = word(happened)
        recall = self.recalls.get(name)
        if recall is None:
            name, recall = self._recall(name)
        loss = 1.0 if is_wrong else 0.0
        found: Sequence[Proof] = ()
        if recall.counts(loss, loss):
            found = _proof("recall", recall, loss, loss, case, name)
        if scores is not None and (chances := chances_of(scores, said, happened)) is not None:
            found = (*found, *self._scored(chances, is_wrong, case))
        return found

    def _erred(self, error: float, case: Case) -> Sequence[Proof]:
        named = (
            self.named if len(self.named) == len(NAMES["regression"]) else self._name(ABOVE, BELOW, TYPICAL)
        )
        above, below, typical = named[ABOVE], named[BELOW], named[TYPICAL]
        error = self.bounded(error)
        over, under = (error, 0.0) if error > 0.0 else (0.0, -error)
        found: Sequence[Proof] = ()
        if above.counts(over, error):
            found = _proof("bias", above, over, error, case, ABOVE)
        if below.counts(under, -error):
            found = (*found, *_proof("bias", below, under, -error, case, BELOW))
        size = abs(error)
        if typical.counts(size, size):
            found = (*found, *_proof("mae", typical, size, size, case))
        return found

    def bounded(self, error: float) -> float:
        """Return what a regression's error counts as; both sides must be there."""
        widest = WIDEST * max(self.named[ABOVE].guard.cut, self.named[BELOW].guard.cut)
        if not -widest <= error <= widest and widest > 0.0:
            return widest if error > 0.0 else -widest
        return error

    def _scored(self, chances: Chances, is_wrong: bool, case: Case) -> Sequence[Proof]:
        named = self.named
        if len(named) < 3:
            named = self._name(LOG_LOSS, BRIER, CALIBRATION)
        happened, said, square = chances
        surprise = surprise_of(happened)
        found: Sequence[Proof] = ()
        one = named[LOG_LOSS]
        if one.counts(surprise, surprise):
            found = _proof("log_loss", one, surprise, surprise, case)
        one = named[BRIER]
        if one.counts(square, square):
            found = (*found, *_proof("brier", one, square, square, case))
        one = named[CALIBRATION]
        more = excess(said, is_wrong)
        if one.counts(1.0 if is_wrong else said, more):  # what it is at most
            share = _share(case.example)
            outside = 1.0 - share * (1.0 - said) if is_wrong else said * (1.0 - share)
            found = (*found, *_proof("calibration", one, outside, more, case))
        return found

    def _name(self, *names: str) -> dict[str, Aspect]:
        for name in names:
            self.named.setdefault(name, self.make(name))
        return self.named

    def make(self, name: str) -> Aspect:
        """Return a new aspect of this name; it has no reference yet."""
        quantile = {BRIER: UPPER, TYPICAL: MIDDLE}.get(name, QUANTILE)
        made = Aspect(Guard(HALF) if name == "recall" else Guard(quantile=quantile))
        if self.is_resting:
            made.freeze()
        else:
            made.aim()
        return made

    def _recall(self, name: str) -> tuple[str, Aspect]:
        """Return a class's own aspect, made when there is room, or that of all others."""
        if name not in self.recalls and len(self.recalls) >= CLASSES - 1:
            name = OTHER
        found = self.recalls.get(name)
        if found is None:
            found = self.recalls[name] = self.make("recall")
        return name, found

    def heirs(self) -> Aspects:
        """Return what the next version begins with: the aspects that have a reference."""
        return Aspects(_heirs(self.named), _heirs(self.recalls))

    def over(self, others: Aspects) -> Aspects:
        """Return these, and of the others those that these lack."""
        return Aspects(others.named | self.named, others.recalls | self.recalls)


def _heirs(aspects: Mapping[str, Aspect]) -> dict[str, Aspect]:
    return {name: heir for name, one in aspects.items() if (heir := one.heir()) is not None}


def _share(example: str) -> float:
    """Return a number within 0..1, as good as drawn, that the id decides: a replay draws the same."""
    return int.from_bytes(blake2b(example.encode(), digest_size=4).digest()) / 2**32


def _proof(
    metric: Metric, one: Aspect, loss: float, value: float, case: Case, label: str | None = None
) -> Sequence[Proof]:
    """Have a loss taken; ``label`` is the class, or the side."""
    is_proved = one.take(loss, value, case)
    return (Proof(metric, one, loss, is_proved, label),) if is_proved or one.finding is not None else ()


def surprise_of(chance: float) -> float:
    """Return the log loss of what happened with this probability."""
    return -log(chance) if chance > LEAST else FARTHEST


def excess(said: float, is_wrong: bool) -> float:
    """Return how much more wrong a prediction was than the probability of what it ``said`` let expect."""
    return said if is_wrong else said - 1.0


def chances_of(scores: Scored, said: Label, happened: Label) -> Chances | None:
    """Return what the scores gave; ``None`` for a lone score of a model that says words: of which is unknown."""
    if isinstance(scores, float):
        if type(happened) is str or type(said) is str:
            return None
        off = scores - 1.0 if happened == 1 else scores
        return 1.0 - abs(off), scores if said == 1 else 1.0 - scores, off * off
    truth, chosen = name_in(scores, happened), name_in(scores, said)
    total = square = 0.0
    for score in scores.values():
        total += score
        square += score * score
    left = min(max(1.0 - total, 0.0), 1.0)
    chance = scores.get(truth)
    if chance is None:
        chance = left
        square += (1.0 - left) ** 2
    else:
        square += 1.0 - 2.0 * chance + left * left
    if len(scores) <= HALVED:
        square /= 2.0
    return chance, scores.get(chosen, left), square
