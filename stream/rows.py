"""Core. The newest labelled predictions of one version with the bins of their inputs, to say what carries a harm.

A prediction's row is made when it is served, travels through the join with it, and is kept with its loss once the
label is there: a ring of ``ROWS``, so its memory has a bound. In a busy hour not every prediction has a row.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import inf
from sys import intern
from typing import Any, NamedTuple

from stream.events import Label, Prediction, Task
from stream.figures.sums import word
from stream.reference import LETTERS, MISSING, UNKNOWN, Feature, Reference, short
from stream.said import SAID, Value, spoken

ROWS = 256
ABSENT = 255
"""Stands for an input that the prediction did not have, or that has no bins yet."""
OUTCOME = "@outcome="
"""What a row's last slice begins with: it says what happened."""
DENSE, SPARSE = 50, 15
"""All of the first so many predictions of an hour have rows, half of the next ones, and so on; then one in 16."""


class Row(NamedTuple):
    """One labelled prediction: event time, loss, slices beginning with ``"all"``, and a bin for each input."""

    at: float
    loss: float
    slices: tuple[str, ...]
    bins: bytes


class Rows:
    """A ring in flat arrays; ``combinations`` are the slices that occur, shared by rows."""

    __slots__ = ("ats", "bins", "combinations", "losses", "places", "taken", "width")

    def __init__(self, fields: Sequence[Any] | None = None) -> None:
        if fields is None:
            fields = (0, 0, b"", b"", b"", b"", ())
        self.taken: int = fields[0]
        self.width: int = fields[1]
        ats, losses, places, bins, combinations = fields[2:]
        self.ats, self.losses, self.places = array("d", ats), array("f", losses), array("H", places)
        self.bins = bytearray(bins)
        self.combinations = [tuple(map(intern, one)) for one in combinations]
        if len(self.ats) < min(self.taken, ROWS):
            self._unroll()

    def fields(self) -> tuple[Any, ...]:
        """Return what the constructor takes."""
        arrays = (one.tobytes() for one in (self.ats, self.losses, self.places))
        return (self.taken, self.width, *arrays, bytes(self.bins), self.combinations)

    def add(self, at: float, loss: float, slices: tuple[str, ...], bins: bytes) -> None:
        """Take one row; of ``ROWS`` the oldest goes. Inputs that earlier rows did not have are absent there."""
        if len(bins) > self.width:
            self._widen(len(bins))
        place = self.taken % ROWS
        if self.taken < ROWS:
            self.ats.append(at)
            self.losses.append(loss)
            self.places.append(0)
            self.bins += bytes(self.width)
        self.taken += 1
        self.ats[place], self.losses[place] = at, loss
        self.places[place] = self._combination(slices)
        padded = bins + bytes([ABSENT]) * (self.width - len(bins))
        self.bins[place * self.width : (place + 1) * self.width] = padded

    def revise(self, was: Row, now: Row | None) -> None:
        """Put a row in the place of one that is as ``was``; without another, nothing is there any more."""
        loss, width = array("f", (was.loss,))[0], self.width
        padded = was.bins + bytes([ABSENT]) * (width - len(was.bins))
        for place, at in enumerate(self.ats):
            is_it = at == was.at and self.losses[place] == loss and self._slices(place) == was.slices
            if is_it and self.bins[place * width : (place + 1) * width] == padded:
                if now is None:
                    self.ats[place] = -inf
                    return
                self.ats[place], self.losses[place] = now.at, now.loss
                self.places[place] = self._combination(now.slices)
                return

    def _slices(self, place: int) -> tuple[str, ...]:
        return self.combinations[self.places[place]]

    def _unroll(self) -> None:
        """Put the oldest row of a full ring that was smaller first, so that it can grow."""
        rows = len(self.ats)
        first = self.taken % rows
        self.ats = self.ats[first:] + self.ats[:first]
        self.losses = self.losses[first:] + self.losses[:first]
        self.places = self.places[first:] + self.places[:first]
        self.bins = self.bins[first * self.width :] + self.bins[: first * self.width]
        self.taken = rows

    def _widen(self, width: int) -> None:
        more = bytes([ABSENT]) * (width - self.width)
        old = (self.bins[place * self.width : (place + 1) * self.width] for place in range(len(self.ats)))
        self.bins = bytearray(b"".join(bytes(one) + more for one in old))
        self.width = width

    def _combination(self, slices: tuple[str, ...]) -> int:
        known = self.combinations
        if slices in known:
            return known.index(slices)
        if len(known) >= ROWS:  # each row names one at most, so after this there is room
            used = sorted({*self.places})
            self.combinations = [known[place] for place in used]
            self.places = array("H", (used.index(place) for place in self.places))
        self.combinations.append(slices)
        return len(self.combinations) - 1

    def since(self, at: float) -> list[Row]:
        """Return the rows of event time ``at`` or later, in any order."""
        return [row for row in self._all() if row.at >= at]

    def _all(self) -> Iterator[Row]:
        for place, (at, loss) in enumerate(zip(self.ats, self.losses, strict=True)):
            bins = bytes(self.bins[place * self.width : (place + 1) * self.width])
            yield Row(at, loss, self._slices(place), bins)


def with_class(slices: tuple[str, ...], task: Task, outcome: Label) -> tuple[str, ...]:
    """Return the slices of a row, with what happened of a classification: harm may be in one class."""
    return slices if task == "regression" else (*slices, OUTCOME + word(outcome)[:LETTERS])


def row_of(reference: Reference, prediction: Prediction) -> bytes:
    """Return the bin of each watched input in the order in which they came first; empty while none has bins."""
    values: dict[str, Value] = {**prediction.features, **dict(spoken(prediction, reference.features))}
    bins = bytes(_bin(one, values, name) for name, one in reference.features.items())
    return bins if bins.strip(bytes([ABSENT])) else b""


def _bin(feature: Feature, values: dict[str, Value], name: str) -> int:
    if not feature.cells:
        return ABSENT
    if name in values:
        return bin_of(feature, values[name])
    return MISSING if feature.is_met and name not in SAID else ABSENT


def bin_of(feature: Feature, value: Value) -> int:
    """Return the bin of a value, of a feature that has bins."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return feature.words.get(value if len(value) <= LETTERS else short(value), UNKNOWN)
    return feature.intervals_from + bisect_right(feature.numbers, value)
