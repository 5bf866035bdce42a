"""Core. The references of what is judged beside the errors: from history, for a file, and from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import field

from stream.aspect import Aspect
from stream.aspects import Aspects
from stream.events import ALL, Task
from stream.judge.known import Known, References, counted, guard_of

RECALL: Final = "recall "
"""What the name of a class's reference begins with."""


class Recorder(Aspect, array_like=True, gc=False):
    """An aspect that judges nothing and keeps all losses, and what is told of them."""

    losses: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def counts(self, loss: float, value: float) -> bool:
        """Want every loss."""
        return True

    def take(self, loss: float, value: float, at: float, example: str, arl: float, increase: float) -> bool:
        """Keep a loss; it proves nothing."""
        self.losses.append(loss)
        self.values.append(value)
        return False

    def known(self, task: Task) -> Known:
        """Return the reference that the losses make; there must be some."""
        cut, guard = self.guard.cut, self.guard
        if cut < 0.0:
            cut = sorted(self.losses)[int(guard.quantile * len(self.losses))]
        return counted(task, cut, self.losses, sum(self.values))


class Recorded(Aspects, array_like=True, gc=False):
    """The aspects of a model's history."""

    def make(self, name: str) -> Aspect:
        """Return a recorder with the cut, or its quantile, of an aspect of this name."""
        return Recorder(Aspects.make(self, name).guard)

    def known(self, task: Task, fewest: int) -> dict[str, Known]:
        """Return the references of those with at least ``fewest`` losses (> 0), by their names in a file."""
        names = {RECALL + name: one for name, one in self.recalls.items()} | self.named
        return {
            name: one.known(task)
            for name, one in names.items()
            if isinstance(one, Recorder) and len(one.losses) >= fewest
        }


def known_aspects(references: References, model: str, task: Task, increase: float) -> Aspects:
    """Return the aspects of a model that a file knows; none of another task's."""
    whole = references.get(model, {}).get(ALL)
    found = Aspects()
    if whole is None or whole.task != task:
        return found
    made = {name: _with(one, increase) for name, one in whole.beside.items()}
    recalls: Mapping[str, Aspect] = {
        name.removeprefix(RECALL): one for name, one in made.items() if name.startswith(RECALL)
    }
    named = {name: one for name, one in made.items() if not name.startswith(RECALL)}
    return Aspects(named, {**recalls})


def _with(known: Known, increase: float) -> Aspect:
    made = Aspect(guard_of(known, increase), usual_losses=known.losses, usual_total=known.total)
    made.aim()
    return made
