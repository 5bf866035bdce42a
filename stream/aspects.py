"""Core. What is judged of a version beside its errors: probabilities, each class's recall, a regression's bias.

| aspect | loss whose large values are counted | value told |
|---|---|---|
| log loss | minus the log of the probability of what happened | its mean |
| Brier | the squared error of the probabilities, halved for two classes | its mean |
| calibration | 1 - u, u the randomised probability integral transform | how much more often wrong than said |
| recall of a class | 1 if something else was said, of its outcomes | its mean, as one minus it |
| bias, either side | what the error is beyond 0 on that side | the mean signed error |

The randomised transform (Smith 1985; Czado, Gneiting and Held 2009) of a prediction that said its class with
probability ``c`` is uniform within 0..``1 - c`` if it was wrong and within ``1 - c``..1 if not; for calibrated
probabilities it is uniform whatever ``c`` is, so that other scores alone are no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf, log
from typing import Final, NamedTuple, TypeAlias
from zlib import crc32

from msgspec import Struct

from stream.aspect import Aspect
from stream.events import Label, Metric, Task
from stream.figures.sums import CLASSES, HALVED, LEAST, OTHER, Scores, word
from stream.judge.guard import HALF, Guard

BEGIN: Final = 200
"""Outcomes of a version from which on it has aspects, unless it inherited some: many versions get few labels."""
UPPER: Final = 0.75
"""The quantile of the Brier score's cut: it sees what moves in the upper quarter, the log loss the worst tenth."""
FARTHEST: Final = -log(LEAST)
LOG_LOSS, BRIER, CALIBRATION, ABOVE, BELOW = "log_loss", "brier", "calibration", "above", "below"


Labelled: TypeAlias = tuple[float, str, float, float]
"""A label's prediction (event time, id) and what it is judged by (run length, least relative rise)."""
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

    def told_at(self) -> float:
        """Return the event time of the newest proof that an open finding of them rests on; -inf without one."""
        return max((one.finding.detected_at for one in self.all() if one.finding is not None), default=-inf)

    def take(
        self, task: Task, said: Label, happened: Label, scores: Scores, label: Labelled
    ) -> Sequence[Proof]:
        """Take one label, comparable with what was said; return what it proves, mostly nothing."""
        if task == "regression":
            return self._erred(float(said) - float(happened), label)
        is_wrong = said != happened
        name = happened if type(happened) is str else word(happened)
        recall = self.recalls.get(name)
        if recall is None:
            name, recall = self._recall(name)
        loss = 1.0 if is_wrong else 0.0
        found: Sequence[Proof] = ()
        if recall.counts(loss, loss):
            found = _proof("recall", recall, loss, loss, label, name)
        if scores is not None and (chances := _chances(scores, said, happened)) is not None:
            found = (*found, *self._scored(chances, is_wrong, label))
        return found

    def _erred(self, error: float, label: Labelled) -> Sequence[Proof]:
        named = self.named if len(self.named) == 2 else self._name(ABOVE, BELOW)
        over, under = (error, 0.0) if error > 0.0 else (0.0, -error)
        found: Sequence[Proof] = ()
        above, below = named[ABOVE], named[BELOW]
        if above.counts(over, error):
            found = _proof("bias", above, over, error, label, ABOVE)
        if below.counts(under, -error):
            found = (*found, *_proof("bias", below, under, -error, label, BELOW))
        return found

    def _scored(self, chances: Chances, is_wrong: bool, label: Labelled) -> Sequence[Proof]:
        named = self.named if len(self.named) == 3 else self._name(LOG_LOSS, BRIER, CALIBRATION)
        happened, said, square = chances
        surprise = -log(happened) if happened > LEAST else FARTHEST
        found: Sequence[Proof] = ()
        one = named[LOG_LOSS]
        if one.counts(surprise, surprise):
            found = _proof("log_loss", one, surprise, surprise, label)
        one = named[BRIER]
        if one.counts(square, square):
            found = (*found, *_proof("brier", one, square, square, label))
        one = named[CALIBRATION]
        excess = said if is_wrong else said - 1.0
        if one.counts(1.0 if is_wrong else said, excess):  # what it is at most
            share = crc32(label[1].encode()) / 2**32
            outside = 1.0 - share * (1.0 - said) if is_wrong else said * (1.0 - share)
            found = (*found, *_proof("calibration", one, outside, excess, label))
        return found

    def _name(self, *names: str) -> dict[str, Aspect]:
        for name in names:
            self.named.setdefault(name, self.make(name))
        return self.named

    def make(self, name: str) -> Aspect:
        """Return a new aspect of this name; it has no reference yet."""
        if name == "recall":
            made = Aspect(Guard(HALF))
            made.aim()
            return made
        return Aspect(Guard(quantile=UPPER) if name == BRIER else Guard())

    def _recall(self, label: str) -> tuple[str, Aspect]:
        """Return a class's own aspect, made when there is room, or that of all others."""
        if label not in self.recalls and len(self.recalls) >= CLASSES - 1:
            label = OTHER
        found = self.recalls.get(label)
        if found is None:
            found = self.recalls[label] = self.make("recall")
        return label, found

    def heirs(self) -> Aspects:
        """Return what the next version begins with: the aspects that have a reference."""
        named = {name: one.heir() or self.make(name) for name, one in self.named.items()}
        recalls = {name: heir for name, one in self.recalls.items() if (heir := one.heir()) is not None}
        return Aspects(named, recalls)


def _proof(
    metric: Metric, one: Aspect, loss: float, value: float, label: Labelled, name: str | None = None
) -> Sequence[Proof]:
    """Have a loss taken; ``name`` is the class, or the side."""
    is_proved = one.take(loss, value, *label)
    return (Proof(metric, one, loss, is_proved, name),) if is_proved or one.finding is not None else ()


def _chances(scores: Scored, said: Label, happened: Label) -> Chances | None:
    """Return what the scores gave; ``None`` for a lone score of a model that says words: of which is unknown."""
    if isinstance(scores, float):
        if type(happened) is str or type(said) is str:
            return None
        off = scores - 1.0 if happened == 1 else scores
        return 1.0 - abs(off), scores if said == 1 else 1.0 - scores, off * off
    truth = happened if type(happened) is str else word(happened)
    chosen = said if type(said) is str else word(said)
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
        square += 1.0 - 2.0 * chance
    if len(scores) <= HALVED:
        square /= 2.0
    return chance, scores.get(chosen, left), square
