"""Core. What is added up of one version's outcomes: cheap sums for every slice, the rich ones for the whole.

A cell is a count or a sum, so any two rows of cells add up to the figures of both, and a corrected outcome is
taken out where it was put in: counts exactly, other sums up to rounding. River's own metrics can't do that: their
sums of two don't add, and a revert leaves drift behind.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import frexp, log, nan
from typing import Any, Final, Protocol, TypeAlias

from stream.events import Label, Task
from stream.figures.windows import Cells, Total, Windows, restored

TOGETHER: Final = 32
"""Rows that are added at one go; a checkpoint adds them sooner."""
CLASSES: Final = 10
"""Classes of a version that have cells of their own; the others share those of ``OTHER``."""
OTHER: Final = "__other__"
RIGHT, WRONGLY, MISSED = 0, 1, 2
"""Of a class: said rightly, said of another, and another said of it."""
OUTCOMES, LOST = 0, 1
"""Of a slice of a classification."""
ABSOLUTE, SQUARE, SIGNED = 1, 2, 3
"""Of a slice of a regression, after ``OUTCOMES``: sums of the error without and with its sign, and its square."""
WIDTHS: Final = {"classification": 2, "regression": 4}

FINE = (0.001, 0.003, 0.01, 0.03)
EDGES: Final = sorted((*FINE, *(step / 10 for step in range(1, 10)), *(1.0 - edge for edge in FINE)))
"""Inner borders of the score bins: tenths, those at both ends finer, where the scores of rare classes are."""
BINS: Final = len(EDGES) + 1
TENTHS: Final = 10
TENTH: Final = [min(int(10 * low + 1e-9), TENTHS - 1) for low in (0.0, *EDGES)]
SCORED, LOG, LOG_SQUARE, BRIER, BRIER_SQUARE, BIN = range(6)
"""Of all scores of a version: outcomes that had some, sums, then a bin's pairs that were not and that were."""
GAP: Final = BIN + 2 * BINS
"""The first of a tenth's sums of score less truth."""
LEAST: Final = 2.0**-52
"""A probability of less counts as this much: the log loss of one certain mistake is 36."""
HALVED: Final = 2
"""Up to so many classes the Brier score is halved, so that it is the same for a lone score."""

FOURTH, TRUE, TRUE_SQUARE, ZEROS, RELATIVE, RELATIVE_SQUARE = range(6)
"""Of a regression's whole: errors to the fourth; outcomes less ``origin``, those of 0; others' relative errors."""
MEASURES: Final = 6
STEPS: Final = 2.0
"""Bins of absolute errors in a doubling: a bin is where the square's exponent is the same."""
NOTHING: Final = -2_200
"""The bin of errors whose square is 0."""
SIZES: Final = 40
"""Bins of absolute errors, of the largest sizes met: smaller errors than fit are in the lowest."""
FARTHEST: Final = 1e150
"""What is squared is cut here: every sum stays finite."""


class Placed(Protocol):
    """A series: where its cells begin."""

    place: int


Scores: TypeAlias = float | Mapping[str, float] | None
Row: TypeAlias = tuple[float, Sequence[Placed], Label, Label, Scores, float]
"""When it was predicted, its series, what was said, what happened, the scores; 1 adds it, -1 takes it out."""


class Sums:
    """Cells of one version, and what each of them is for."""

    __slots__ = (
        "classes",
        "measures",
        "origin",
        "scores",
        "since_at",
        "sizes",
        "task",
        "waiting",
        "windows",
    )

    def __init__(self) -> None:
        self.task: Task = "classification"
        self.waiting: list[Row] = []
        self.windows = Windows()
        self.classes: dict[Label, int] = {}
        self.scores = self.measures = -1
        self.sizes: dict[int, int] = {}
        """Bins of absolute errors by their number: first cells."""
        self.origin = 0.0
        self.since_at = float("-inf")
        """Only later predictions are summed: of those before, an older release kept no such sums."""

    def take(self, row: Row) -> None:
        """Add a row, or take it out; some wait for each other, since added together they cost half as much."""
        waiting = self.waiting
        waiting.append(row)
        if len(waiting) == TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Add what waits, in the order in which it came: when that is done changes nothing."""
        waiting, self.waiting = self.waiting, []
        add = self._measure if self.task == "regression" else self._classify
        for row in waiting:
            add(*row)

    def total(self, window: str) -> Total:
        """Return the sums of a window; all 0 when it is empty.

        Raises:
            KeyError: a window that is not in ``LEVELS``.
        """
        self.settle()
        return self.windows.total(window)

    def _classify(
        self, at: float, route: Sequence[Placed], said: Label, happened: Label, scores: Scores, sign: float
    ) -> None:
        if at <= self.since_at:
            return
        classes = self.classes
        truth = classes.get(happened)
        if truth is None:
            truth = self._class(happened)
        is_lost = said != happened
        guess = truth
        if is_lost and (guess := classes.get(said, -1)) < 0:
            guess = self._class(said)
        if scores is not None and self.scores < 0:
            self.scores = self.windows.allot(GAP + TENTHS)
        cells = self.windows.bucket(at)
        for series in route:
            cells[series.place] += sign
        if is_lost:
            for series in route:
                cells[series.place + LOST] += sign
            cells[guess + WRONGLY] += sign
            cells[truth + MISSED] += sign
        else:
            cells[truth + RIGHT] += sign
        if isinstance(scores, float):
            if type(happened) is not str:
                self._score(cells, scores, happened == 1, sign)
        elif scores is not None:
            self._score_all(cells, scores, happened, sign)

    def _class(self, label: Label) -> int:
        """Return the cells of a class that has none yet: its own, or those of all others."""
        classes = self.classes
        if label not in classes and len(classes) >= CLASSES - 1:
            label = OTHER
        if label not in classes:
            classes[label] = self.windows.allot(3)
        return classes[label]

    def _score(self, cells: Cells, score: float, is_true: bool, sign: float) -> None:
        base = self.scores
        place = bisect_right(EDGES, score)
        off = score - is_true
        cells[base + BIN + 2 * place + is_true] += sign
        cells[base + GAP + TENTH[place]] += sign * off
        self._lose(cells, score if is_true else 1.0 - score, off * off, sign)

    def _lose(self, cells: Cells, chance: float, square: float, sign: float) -> None:
        """Add a row's log loss and Brier score."""
        base = self.scores
        loss = log(chance) if chance > LEAST else log(LEAST)
        cells[base] += sign
        cells[base + LOG] -= sign * loss
        cells[base + LOG_SQUARE] += sign * loss * loss
        cells[base + BRIER] += sign * square
        cells[base + BRIER_SQUARE] += sign * square * square

    def _score_all(self, cells: Cells, scores: Mapping[str, float], happened: Label, sign: float) -> None:
        """Add a probability per class; a class that was not given one has what the others leave."""
        base, truth = self.scores, name_in(scores, happened)
        left = min(max(1.0 - sum(scores.values()), 0.0), 1.0)
        chance = scores.get(truth)
        if chance is None:
            chance, square = left, (1.0 - left) ** 2
        else:
            square = left * left
        for name, score in scores.items():
            is_true = name == truth
            place = bisect_right(EDGES, score)
            off = score - is_true
            cells[base + BIN + 2 * place + is_true] += sign
            cells[base + GAP + TENTH[place]] += sign * off
            square += off * off
        if len(scores) <= HALVED:
            square /= 2.0
        self._lose(cells, chance, square, sign)

    def _measure(
        self, at: float, route: Sequence[Placed], said: Label, happened: Label, _: Scores, sign: float
    ) -> None:
        if at <= self.since_at:
            return
        true = float(happened)
        if self.measures < 0:
            self.measures, self.origin = self.windows.allot(MEASURES), true
        error = float(said) - true
        size = abs(error)
        square = size * size
        step = frexp(square)[1] if square else NOTHING
        place = self.sizes.get(step)
        if place is None:
            place = self._size(step)
        cells = self.windows.bucket(at)
        squared, signed, added = sign * square, sign * error, sign * size
        for series in route:
            first = series.place
            cells[first] += sign
            cells[first + ABSOLUTE] += added
            cells[first + SQUARE] += squared
            cells[first + SIGNED] += signed
        cells[place] += sign
        base = self.measures
        small = min(FARTHEST, square)
        cells[base] += sign * small * small
        off = true - self.origin
        if not -FARTHEST < off < FARTHEST:
            off = FARTHEST
        cells[base + TRUE] += sign * off
        cells[base + TRUE_SQUARE] += sign * off * off
        if true:
            relative = size / abs(true)
            if relative > FARTHEST:
                relative = FARTHEST
            cells[base + RELATIVE] += sign * relative
            cells[base + RELATIVE_SQUARE] += sign * relative * relative
        else:
            cells[base + ZEROS] += sign

    def _size(self, step: int) -> int:
        """Return the cell of errors of a size not met before: its own, or the smallest one's if it is less.

        When all are given, the smallest size makes room: its errors count as those of the next.
        """
        sizes = self.sizes
        if len(sizes) < SIZES:
            sizes[step] = self.windows.allot(1)
            return sizes[step]
        least = min(sizes)
        if step > least:
            place = sizes.pop(least)
            if step > (least := min(sizes)):
                self.windows.pour(place, sizes[least])
            sizes[step] = place
            return place
        return sizes[least]

    def state(self) -> list[Any]:
        """Return what ``restored_sums`` takes."""
        self.settle()
        rest = [self.scores, self.measures, [*self.sizes.items()], self.origin, self.since_at]
        return [self.windows.state(), [*self.classes.items()], *rest]


def restored_sums(state: Sequence[Any]) -> Sums:
    """Return the sums that gave this state.

    Raises:
        ValueError: not a state.
    """
    found = Sums()
    windows, classes, found.scores, found.measures, sizes, found.origin, found.since_at = state
    found.windows = restored(windows)
    found.classes = dict(map(tuple, classes))
    found.sizes = dict(map(tuple, sizes))
    return found


def name_in(scores: Mapping[str, float], label: Label) -> str:
    """Return under which name scores have a class; that of a number or bool may be as JSON or Python writes it."""
    if isinstance(label, str):
        return label
    name = word(label)
    return name if name in scores else next((one for one in scores if _number(one) == label), name)


def _number(name: str) -> float:
    """Return the number, or bool, that a name stands for; nan for a word."""
    try:
        return float({"true": "1", "false": "0"}.get(name.lower(), name))
    except ValueError:
        return nan


def word(label: Label) -> str:
    """Return a class as JSON would name it: ``true``, ``1``, ``1.5``, or its text; 1.0 is ``1``."""
    if isinstance(label, str):
        return label
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(int(label)) if float(label).is_integer() else str(label)
