"""Core. A recorded stream: what a frozen model says to real data, and what really happened.

It is played in the data's own time. Nobody planted a degradation in it, so nothing here says when or whether the
model gets worse: ``stream.demo.oracle`` judges that from the same predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stream.events import Event, Outcome, Prediction, Rollout
from stream.joined import slice_names


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
    trained: Sequence[float]
    """What the frozen model got wrong (1.0) and right (0.0) in the time it was trained on, in order."""
    served: Sequence[tuple[Prediction, Outcome]]

    @property
    def model(self) -> str:
        """The model that answers."""
        return self.rollouts[0].model

    @property
    def version(self) -> str:
        """Its one version."""
        return self.rollouts[0].version

    def delta(self, usual: float) -> float:
        """Return the ``monitor.delta`` that keeps its meaning where errors come in runs.

        ``n`` losses of which each resembles its neighbours tell as much as ``n / correlation_length``. ADWIN's
        bound knows the number of losses only as ``ln(1 / delta) / n``, so that is ``usual`` to this power.
        """
        return float(usual ** correlation_length(self.trained))

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
                frozenset(slice_names(one.slices)),
                float(one.prediction != outcome.outcome),
            )
            for one, outcome in self.served
        ]


def correlation_length(losses: Sequence[float]) -> float:
    """Return the integrated autocorrelation time: how many losses say as much as one that is independent.

    1 plus twice the autocorrelations up to the first that is not positive (Sokal 1997). 1 for independent losses,
    and where it is undefined: fewer than two, or all the same.
    """
    centred = np.asarray(losses, dtype=float)
    centred = centred - centred.mean() if len(centred) else centred
    power = float(centred @ centred)
    length = 1.0
    for lag in range(1, len(centred)) if power > 0 else ():
        correlation = float(centred[:-lag] @ centred[lag:]) / power
        if correlation <= 0:
            break
        length += 2 * correlation
    return length
