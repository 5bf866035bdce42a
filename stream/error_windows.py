"""Core. How many of a model's outcomes were wrong of late: counts over five windows, from minutes to days.

They are what a burn rate is made of (Google, *Site Reliability Workbook*, ch. 5). An outcome counts when it became
known, by its own time, and what is corrected later stays as it was known.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from stream.events import Errors, Window
from stream.series import Series

SPANS_S = (300.0, 1_800.0, 3_600.0, 21_600.0, 259_200.0)
MINUTE_S = 60.0
GRAINS_S = ((1_800.0, MINUTE_S), (21_600.0, 600.0), (259_200.0, 10_800.0))
"""Up to that age, cells of this width: a window is short by one cell of its oldest kind at most."""
CELL = 3
"""A cell is three doubles: when it begins, its outcomes, how many were wrong."""
MOST = 128
"""Cells that one model keeps at most: 3 kB. They are merged when there are more, and 90 are left at most."""
GROWN = 1.1
"""A window is news when the share of wrong ones has grown by this factor."""


class ErrorWindows:
    """Cells of one model, oldest first, and the share of wrong ones that was said last of each window."""

    __slots__ = ("cells", "said")

    def __init__(self, cells: bytes = b"", said: tuple[float, ...] = ()) -> None:
        self.cells = array("d", cells)
        self.said = said

    def add(self, at: float, wrong: float) -> bool:
        """Count an outcome known ``at`` epoch seconds, ``wrong`` 1 or 0; return whether it began a new minute.

        One that is older than the newest minute counts in that: it wasn't known before.
        """
        cells = self.cells
        if cells and at < cells[-CELL] + MINUTE_S:
            cells[-2] += 1.0
            cells[-1] += wrong
            return False
        cells.extend((at // MINUTE_S * MINUTE_S, 1.0, wrong))
        if len(cells) > CELL * MOST:
            self._merge()
        return True

    def note(
        self, model: str, at: float, wrong: float, route: Sequence[Series], proven_at: float | None
    ) -> Errors | None:
        """Count an outcome; once a minute, while one of its series is known to be harmed, return what is news."""
        if not self.add(at, wrong) or all(one.finding is None for one in route):
            return None
        windows = self.news()
        return Errors(model=model, at=at, proven_at=proven_at, windows=windows) if windows else None

    def tell(self) -> tuple[Window, ...]:
        """Return the counts of each window, shortest first, and remember that they were said; empty: none yet."""
        windows = self._counted()
        self.said = _shares(windows)
        return windows

    def news(self) -> tuple[Window, ...]:
        """Return what ``tell`` does if in a window things are worse than was said last; else nothing."""
        shares, said = _shares(self._counted()), self.said or (0.0,) * len(SPANS_S)
        is_worse = any(share > GROWN * before for share, before in zip(shares, said, strict=True))
        return self.tell() if is_worse else ()

    def _counted(self) -> tuple[Window, ...]:
        cells = self.cells
        if not cells:
            return ()
        starts, outcomes, wrong = cells[::CELL], cells[1::CELL], cells[2::CELL]
        ends_at = starts[-1] + MINUTE_S
        first = [next(n for n, start in enumerate(starts) if start >= ends_at - span_s) for span_s in SPANS_S]
        return tuple(
            Window(span_s=span_s, outcomes=int(sum(outcomes[n:])), wrong=int(sum(wrong[n:])))
            for span_s, n in zip(SPANS_S, first, strict=True)
        )

    def _merge(self) -> None:
        """Merge cells of one width's slot, and forget what no window reaches."""
        cells, merged = self.cells, array("d")
        newest = cells[-CELL]
        for place in range(0, len(cells), CELL):
            start, outcomes, wrong = cells[place : place + CELL]
            width_s = next((width for age_s, width in GRAINS_S if newest - start < age_s), None)
            if width_s is None:
                continue
            slot = start // width_s * width_s
            if merged and merged[-CELL] >= slot:
                merged[-2] += outcomes
                merged[-1] += wrong
            else:
                merged.extend((slot, outcomes, wrong))
        self.cells = merged


def _shares(windows: tuple[Window, ...]) -> tuple[float, ...]:
    return tuple(one.wrong / one.outcomes for one in windows)
