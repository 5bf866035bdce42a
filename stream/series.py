"""Core. One series: what is known of a model version in one slice.

The figure is River's (accuracy, or mean absolute error), over all matched outcomes since the version's first
event, revised when an outcome is corrected. The loss is 1 for a wrong class, or the absolute error.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from river import metrics

from stream.detectors import Change, Detector
from stream.events import Label, Task
from stream.history import History
from stream.join import Served

Metric = Literal["accuracy", "mae"]

SCALE = 4.0
"""A regression loss is divided by this many times the mean of the first losses, then cut at 1."""
RECENT = 256
EXAMPLES = 5


def task_of(served: Served) -> Task:
    """A number without scores is a regression; everything else is a classification."""
    number = isinstance(served.prediction, int | float) and not isinstance(served.prediction, bool)
    return "regression" if number and not served.has_scores else "classification"


def is_comparable(served: Served, outcome: Label) -> bool:
    """Return whether the outcome is of the prediction's kind: text with text, number or bool with such."""
    if task_of(served) == "regression":
        return isinstance(outcome, int | float) and not isinstance(outcome, bool)
    return isinstance(served.prediction, str) == isinstance(outcome, str)


class Series:
    """Figures, recent history and detector of one model x version x slice."""

    __slots__ = (
        "_first",
        "_warmup",
        "detector",
        "episode",
        "examples",
        "figure",
        "history",
        "newest_at",
        "outcomes",
        "predictions",
        "scale",
        "task",
    )

    def __init__(self, task: Task, delta: float, warmup: int) -> None:
        self.task = task
        self.figure = metrics.Accuracy() if task == "classification" else metrics.MAE()
        self.detector = Detector(delta)
        self.history = History()
        self.examples: deque[str] = deque(maxlen=EXAMPLES)
        self.predictions = 0
        self.outcomes = 0
        self.episode = 0
        self.newest_at = float("-inf")
        self.scale = 1.0 if task == "classification" else 0.0
        self._first = 0.0
        self._warmup = warmup

    @property
    def metric(self) -> Metric:
        """The name of the figure."""
        return "accuracy" if self.task == "classification" else "mae"

    @property
    def is_warm(self) -> bool:
        """Whether enough losses were seen to judge."""
        return self.outcomes >= self._warmup

    def learn(self, served: Served, outcome: Label) -> Change | None:
        """Take one matched outcome; return the change that it proved, if any."""
        loss = self.loss(served.prediction, outcome)
        self.figure.update(outcome, served.prediction)
        self.outcomes += 1
        self.history.add(served.at, loss)
        if loss > self.scale / SCALE or (self.task == "classification" and loss):
            self.examples.append(served.prediction_id)
        if not self.scale:
            self._calibrate(loss)
            return None
        change = self.detector.update(min(1.0, loss / self.scale))
        return change if self.is_warm else None

    def _calibrate(self, loss: float) -> None:
        self._first += loss
        if self.is_warm:
            self.scale = SCALE * self._first / self.outcomes or 1.0

    def revise(self, served: Served, previous: Label, outcome: Label) -> None:
        """Replace one outcome in the figure; what the detector saw stays seen."""
        self.figure.revert(previous, served.prediction)
        self.figure.update(outcome, served.prediction)

    def loss(self, prediction: Label, outcome: Label) -> float:
        """1 or 0 for a classification, the absolute error for a regression."""
        if self.task == "classification":
            return float(prediction != outcome)
        return abs(float(prediction) - float(outcome))

    def shown(self, mean_loss: float) -> float:
        """Turn a mean loss into the figure's terms: accuracy is one minus the error rate; nan stays nan."""
        return 1.0 - mean_loss if self.task == "classification" else mean_loss

    def rollout(self) -> float:
        """The figure since the version's first event; nan before the first outcome."""
        return float(self.figure.get()) if self.outcomes else float("nan")

    def recent(self) -> float:
        """The figure over about the newest 256 outcomes; nan before the first."""
        return self.shown(self.history.newest(RECENT).mean)
