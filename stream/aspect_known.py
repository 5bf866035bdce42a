"""Core. The references of what is judged beside the errors: from history, for a file, and from a file."""

from __future__ import annotations

from array import array
from typing import Final

from msgspec import field

from stream.aspect import Aspect, Case
from stream.aspects import ABOVE, BELOW, NAMES, TYPICAL, WIDEST, Aspects
from stream.events import ALL, Task
from stream.judge.known import Known, References, counted, guard_of
from stream.judge.level import cut_of

RECALL: Final = "recall "
"""What the name of a class's reference begins with."""


class Recorder(Aspect, array_like=True, gc=False):
    """An aspect that judges nothing and keeps all losses, and the sum of what is told of them."""

    losses: array[float] = field(default_factory=lambda: array("d"))

    def counts(self, loss: float, value: float) -> bool:
        """Want every loss."""
        return True

    def take(self, loss: float, value: float, case: Case) -> bool:
        """Keep a loss; it proves nothing."""
        self.losses.append(loss)
        self.total += value
        return False

    def cut(self) -> float:
        """Return above what a loss is large; there must be some losses."""
        guard = self.guard
        known = guard.cut >= 0.0
        return guard.cut if known else cut_of(self.losses, guard.quantile)

    def within(self, most: float) -> float:
        """Return the sum of the losses, each as ``most`` at most."""
        return sum(min(one, most) for one in self.losses)


class Recorded(Aspects, array_like=True, gc=False):
    """The aspects of a model's history."""

    def make(self, name: str) -> Aspect:
        """Return a recorder with the cut, or its quantile, of an aspect of this name."""
        return Recorder(Aspects.make(self, name).guard)

    def known(self, task: Task, fewest: int) -> dict[str, Known]:
        """Return the references of those with at least ``fewest`` losses (> 0), by their names in a file."""
        names = {RECALL + name: one for name, one in self.recalls.items()} | self.named
        found = {
            name: one
            for name, one in names.items()
            if isinstance(one, Recorder) and len(one.losses) >= fewest
        }
        if ABOVE in found:
            _cut_errors(found[ABOVE], found[BELOW], found[TYPICAL])
        return {name: counted(task, one.cut(), one.losses, one.total) for name, one in found.items()}


def _cut_errors(above: Recorder, below: Recorder, typical: Recorder) -> None:
    """Sum the errors anew as the judge does, none of them beyond ``WIDEST`` times the larger cut."""
    widest = WIDEST * max(above.cut(), below.cut())
    if widest > 0.0:
        above.total = above.within(widest) - below.within(widest)
        below.total = -above.total
        typical.total = typical.within(widest)


def is_name(name: str, task: Task) -> bool:
    """Return whether something that is judged beside the errors of a task has this name in a file."""
    return name in NAMES[task] or (task == "classification" and name.startswith(RECALL))


def known_aspects(references: References, model: str, task: Task, increase: float) -> Aspects:
    """Return the aspects of a model that a file knows; none of another task's."""
    whole = references.get(model, {}).get(ALL)
    found = Aspects()
    if whole is None or whole.task != task:
        return found
    made = {name: _with(one, increase) for name, one in whole.beside.items()}
    recalls = {name.removeprefix(RECALL): one for name, one in made.items() if name.startswith(RECALL)}
    named = {name: one for name, one in made.items() if not name.startswith(RECALL)}
    return Aspects(named, recalls)


def _with(known: Known, increase: float) -> Aspect:
    made = Aspect(guard_of(known, increase), usual_losses=known.losses, usual_total=known.total)
    made.aim()
    return made
