"""Core. Sums over event time, fine where it is new: 5 minutes, an hour, a day, a week, and all before.

Every level holds its newest three buckets. Those of a window are half as wide as it, so it is whole and at most
half as long again; one level, of three hours, is of no window. A row is in exactly one bucket, that of the finest
level which still reaches back to its time. The newest time alone decides which that is, so the order of arrival
doesn't matter, and a row can be taken out where it was put in. What a level no longer holds goes, whole, into the
one bucket of the next that it lies in.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from math import inf, nan
from typing import Any, Final, NamedTuple, TypeAlias

HELD: Final = 3
WIDTH_S: Final = 150
"""Seconds of a bucket of the finest level."""
RATIOS: Final = (1, 12, 72, 288, 2_016)
"""Finest buckets in a bucket of each level; each is a multiple of the one before.

Without the three hours a version that began ten hours ago would be compared over the last one only
(``stream.verdict``).
"""
ROLLOUT: Final = "rollout"
LEVELS: Final[Mapping[str, int]] = {"5m": 0, "1h": 1, "24h": 3, "7d": 4, ROLLOUT: 5}
"""Windows by name: the last level that is in each. ``rollout`` is all since the version's first outcome."""
REST: Final = HELD * len(RATIOS)
ADDED: Final = slice(2 * HELD, 2 * HELD)
"""Where the buckets of three hours are; states of before had none."""


class Total(NamedTuple):
    """The sums of a window, by cell; it holds the rows of ``since_at`` <= time < ``until_at``.

    Since rollout is since ``-inf``; both are nan while there are no rows at all.
    """

    cells: Sequence[float]
    since_at: float
    until_at: float


NONE: Final[list[float]] = []
Cells: TypeAlias = "list[float] | array[float]"


class Held(NamedTuple):
    """The cells of one bucket: of the rows of ``since_at`` <= time < ``until_at``, in seconds."""

    since_at: float
    until_at: float
    cells: Sequence[float]


class Windows:
    """Buckets of one version. ``size`` is how many cells each has at least when it is next written to.

    The newest bucket is a list, which is twice as fast to add to; the others are arrays, a quarter of its size,
    and so is it itself after a checkpoint until it is added to.
    """

    __slots__ = ("_current", "_from_at", "_until_at", "buckets", "head", "size")

    def __init__(self) -> None:
        self.size = 0
        self.head: int | None = None
        """Which finest bucket is the newest, counted from the epoch; ``None`` before the first row."""
        self.buckets: list[Cells | None] = [None] * (REST + 1)
        self._current = NONE
        self._from_at = self._until_at = nan

    def allot(self, cells: int) -> int:
        """Return the first of so many new cells, 0 in every bucket."""
        place, self.size = self.size, self.size + cells
        self._from_at = nan
        return place

    def pour(self, source: int, to: int) -> None:
        """Add one cell to another, in every bucket, and leave it 0."""
        for place, cells in enumerate(self.buckets):
            if cells is not None and source < len(cells) and cells[source]:
                self._opened(place)[to] += cells[source]
                cells[source] = 0.0

    def bucket(self, at: float) -> Cells:
        """Return the cells of the bucket for this event time, to be added to before the next call of anything."""
        if self._from_at <= at < self._until_at:
            return self._current
        number = int(at // WIDTH_S)
        if self.head is None or number > self.head:
            self._advance(number)
        cells = self._opened(self._place(number))
        return cells if number != self.head else self._newest(cells)

    def _newest(self, cells: Cells) -> Cells:
        assert self.head is not None
        # zeros, of which there are many, are one object
        self._current = self.buckets[self.head % HELD] = [cell or 0.0 for cell in cells]
        self._from_at, self._until_at = float(self.head * WIDTH_S), float((self.head + 1) * WIDTH_S)
        return self._current

    def _place(self, number: int) -> int:
        assert self.head is not None
        for level, ratio in enumerate(RATIOS):
            theirs = number // ratio
            if self.head // ratio - theirs < HELD:
                return HELD * level + theirs % HELD
        return REST

    def _opened(self, place: int) -> Cells:
        cells = self.buckets[place]
        if cells is None:
            cells = self.buckets[place] = array("d")
        if len(cells) < self.size:
            cells.extend([0.0] * (self.size - len(cells)))
        return cells

    def _advance(self, number: int) -> None:
        """Make this the newest bucket; the coarse levels make room before the finer ones need it."""
        before, self.head = self.head, number
        if before is None:
            return
        self._pack(before)
        for level in reversed(range(len(RATIOS))):
            ratio = RATIOS[level]
            newest = before // ratio
            for theirs in range(newest - HELD + 1, min(newest, number // ratio - HELD) + 1):
                self._move(HELD * level + theirs % HELD, theirs * ratio)

    def _pack(self, number: int) -> None:
        """Make an array of what was the newest bucket."""
        cells = self.buckets[number % HELD]
        if cells is not None:
            self.buckets[number % HELD] = array("d", cells)
        self._current, self._from_at = NONE, nan

    def _move(self, place: int, number: int) -> None:
        gone, self.buckets[place] = self.buckets[place], None
        if gone is None:
            return
        to = self._place(number)
        if self.buckets[to] is None:
            self.buckets[to] = gone
            return
        cells = self._opened(to)
        for cell, value in enumerate(gone):
            cells[cell] += value

    def part(self, window: str, first: int, count: int) -> list[float]:
        """Return the sums of so many cells over a window; all 0 when it is empty.

        Raises:
            KeyError: a window that is not in ``LEVELS``.
        """
        held = self.buckets[: HELD * (LEVELS[window] + 1)]
        found = [0.0] * count
        for cells in reversed(held):
            for place, value in enumerate(cells[first : first + count] if cells is not None else ()):
                found[place] += value
        return found

    def total(self, window: str) -> Total:
        """Return the sums of a window and when it begins and ends; all 0 when it is empty.

        Raises:
            KeyError: a window that is not in ``LEVELS``.
        """
        cells = self.part(window, 0, self.size)
        if self.head is None:
            return Total(cells, nan, nan)
        until_at = float((self.head + 1) * WIDTH_S)
        if window == ROLLOUT:
            return Total(cells, -inf, until_at)
        ratio = RATIOS[LEVELS[window]]
        return Total(cells, float((self.head // ratio - HELD + 1) * ratio * WIDTH_S), until_at)

    def held(self) -> Iterator[Held]:
        """Yield the buckets, the newest first, without gaps from the end of the head back to ``-inf``.

        A coarse bucket has only the rows that no finer one holds, so it ends where they begin. One without rows
        may have no cells, and any may have fewer than ``size``.
        """
        if self.head is None:
            return
        end = self.head + 1
        for level, ratio in enumerate(RATIOS):
            newest = self.head // ratio
            for theirs in range(newest, newest - HELD, -1):
                if theirs * ratio < end:
                    cells = self.buckets[HELD * level + theirs % HELD]
                    yield Held(float(theirs * ratio * WIDTH_S), float(end * WIDTH_S), cells or NONE)
                    end = theirs * ratio
        yield Held(-inf, float(end * WIDTH_S), self.buckets[REST] or NONE)

    def state(self) -> list[Any]:
        """Return what ``restored`` takes."""
        if self.head is not None:
            self._pack(self.head)
        written = [one.tobytes() if isinstance(one, array) else None for one in self.buckets]
        return [self.size, self.head, written]


def restored(state: Sequence[Any]) -> Windows:
    """Return the windows that gave this state.

    Raises:
        ValueError: not a state.
    """
    found = Windows()
    found.size, found.head, written = state
    if len(written) == REST + 1 - HELD:
        written = [*written]
        written[ADDED] = [None] * HELD
    if len(written) != len(found.buckets):
        raise ValueError(f"{len(written)} buckets: want {len(found.buckets)}")
    found.buckets = [None if one is None else array("d", one) for one in written]
    return found
