"""Core. A recorded stream: what a frozen model says to real data, and what really happened.

It is played in the data's own time. Nobody planted a degradation in it, so nothing here says when or whether the
model gets worse: ``stream.demo.oracle`` judges that from the same predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stream.events import ALL, Event, Outcome, Prediction, Rollout


class Teams(NamedTuple):
    """Which patterns of model names each team owns, and who owns all others."""

    models: Mapping[str, Sequence[str]]
    default: str


class Loss(NamedTuple):
    """One answer: when it was given, when it was known, in which slices, and 1.0 if it was wrong, else 0.0."""

    at: float
    known_at: float
    slices: frozenset[str]
    wrong: float


@dataclass(frozen=True)
class Recording:
    """One classifier's answers and outcomes, in the order of time; ``team`` owns the model."""

    name: str
    summary: str
    teams: Teams
    team: str
    rollouts: Sequence[Rollout]
    served: Sequence[tuple[Prediction, Outcome]]

    @property
    def model(self) -> str:
        """The model that answers."""
        return self.rollouts[0].model

    @property
    def version(self) -> str:
        """Its one version."""
        return self.rollouts[0].version

    def events(self) -> Iterator[Event]:
        """Yield everything in the order in which it happened."""
        timed = [(event.at, number, event) for number, event in enumerate(self._all())]
        timed.sort(key=lambda one: one[:2])
        return (event for _, _, event in timed)

    def _all(self) -> Iterator[Event]:
        yield from self.rollouts
        for one, outcome in self.served:
            yield one
            yield outcome

    def losses(self) -> list[Loss]:
        """Return the answers with what came of them, in the order of time."""
        return [
            Loss(
                float(one.at),
                float(outcome.at),
                frozenset((ALL, *(f"{name}={value}" for name, value in one.slices.items()))),
                float(one.prediction != outcome.outcome),
            )
            for one, outcome in self.served
        ]
