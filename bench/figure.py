"""Core. One figure of the report: its samples, their median, and how it was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """``samples`` are in ``unit``, one a repetition, in the order in which they were made."""

    name: str
    unit: str
    samples: Sequence[float]
    how: str
    wanted: str = ""
    """The target of issue 4, empty for a figure that stands for the record."""

    @property
    def value(self) -> float:
        """The median of the samples; nan without any."""
        return median(self.samples) if self.samples else float("nan")


def lines(figures: Iterable[Figure]) -> list[str]:
    """Return the report: two lines a figure, all samples included."""
    found = []
    for one in figures:
        samples = " ".join(shown(sample) for sample in one.samples)
        wanted = f"  (wanted: {one.wanted})" if one.wanted else ""
        found.append(f"{one.name} = {shown(one.value)} {one.unit}{wanted}")
        found.append(f"    samples: {samples}    {one.how}")
    return found


def shown(value: float) -> str:
    """Return a number for people: whole above 1,000, else three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return the ratios within each repetition."""
    return [a / b for a, b in zip(above, below, strict=True)]
