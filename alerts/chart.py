"""Core. The chart of an incident: two levels of a metric over time, when it began, and what was rolled out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import ceil, floor, log10, sqrt
from typing import Any, NamedTuple

from alerts.incident import Incident
from alerts.wording import DIGITS, cut
from stream.digits import in_digits
from stream.events import Finding

Z = 1.96
"""Standard deviations of a 95 % interval."""
SHARES = frozenset(("accuracy", "recall", "missing_rate", "new_category_rate", "out_of_range_rate"))
"""Metrics that are shares of what was counted, so that their counts give their intervals."""
LEFT, RIGHT, TOP, BOTTOM = 44.0, 352.0, 52.0, 186.0
"""The frame, in a drawing 360 wide and 230 high."""
ROW = 15.0
LETTER = 6.6
"""The width of a letter, about."""
SHORTEST_S = 60.0
STEPS_S = (15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
DAY_S = 86_400
ROLLOUTS = 3
"""As many rollouts are marked, the newest."""


class Level(NamedTuple):
    """A level of the metric and its 95 % interval; without one all three are equal."""

    value: float
    low: float
    high: float


class Scale(NamedTuple):
    """Maps values within ``low..high`` to places within ``first..last``."""

    low: float
    high: float
    first: float
    last: float

    def at(self, value: float) -> float:
        """Return the place of a value, at the edge of the drawing when it lies outside."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.first + min(max(share, 0.0), 1.0) * (self.last - self.first), 1)


class Mark(NamedTuple):
    """A labelled instant: its place, the label's place, row and alignment."""

    x: float
    text: str
    text_x: float
    y: float
    anchor: str


def interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share seen ``count`` times (Wilson 1927); (0, 1) when ``count`` is 0."""
    if count <= 0:
        return 0.0, 1.0
    spread = Z * sqrt(share * (1.0 - share) / count + Z * Z / (4.0 * count * count))
    middle, scale = share + Z * Z / (2.0 * count), 1.0 + Z * Z / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def has_band(lead: Finding) -> bool:
    """Whether the finding's levels have intervals: it says them, or its counts of a share do."""
    return lead.metric in SHARES or None not in (lead.before_lower, lead.after_lower)


def drawing(incident: Incident) -> dict[str, Any]:
    """Return what the template draws: places within 360 x 230, texts as they are."""
    lead = incident.lead
    before = _level(lead, lead.before, lead.before_count, lead.before_lower, lead.before_upper)
    after = _level(lead, lead.after, lead.after_count, lead.after_lower, lead.after_upper)
    y = _values(before, after)
    x = _times(incident)
    onset = x.at(lead.onset_at)
    return {
        "frame": (LEFT, RIGHT, TOP, BOTTOM),
        "onset": onset,
        "onset_from": x.at(lead.onset_at if lead.onset_after is None else lead.onset_after),
        "onset_to": x.at(lead.onset_at if lead.onset_before is None else lead.onset_before),
        "before": tuple(map(y.at, before)),
        "after": tuple(map(y.at, after)),
        "value_before": in_digits(lead.before, DIGITS),
        "value_after": in_digits(lead.after, DIGITS),
        "rows": [(y.at(value), in_digits(value, DIGITS)) for value in _round_values(y)],
        "columns": [(x.at(at), text) for at, text in _round_times(x)],
        "day": _days(x),
        "marks": [*_marks(incident, x)],
    }


def _level(lead: Finding, value: float, count: int, lower: float | None, upper: float | None) -> Level:
    if lower is not None and upper is not None:
        return Level(value, lower, upper)
    return Level(value, *(interval(value, count) if lead.metric in SHARES else (value, value)))


def _values(before: Level, after: Level) -> Scale:
    lowest, highest = min(before.low, after.low), max(before.high, after.high)
    room = (highest - lowest) * 0.3 or abs(highest) * 0.25 or 1.0
    return Scale(lowest - room, highest + room, BOTTOM, TOP)


def _times(incident: Incident) -> Scale:
    """Show everything from the first cause to the proof, and the end if it is not far beyond."""
    lead = incident.lead
    instants = [lead.onset_at, lead.detected_at, *(one.at for one in lead.rollouts[-ROLLOUTS:])]
    instants += [at for at in (lead.onset_after, lead.onset_before) if at is not None]
    first, last = min(instants), max(instants)
    span_s = max(last - first, SHORTEST_S)
    end = incident.resolved_at if incident.state == "resolved" else None
    if end is not None and last < end <= last + 3.0 * span_s:
        last = end
    span_s = max(last - first, SHORTEST_S)
    return Scale(first - 0.15 * span_s, last + 0.15 * span_s, LEFT, RIGHT)


def _round_values(y: Scale) -> Iterator[float]:
    rough = (y.high - y.low) / 3.0
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    for number in range(ceil(y.low / step), floor(y.high / step) + 1):
        yield number * step


def _step_s(span_s: float) -> float:
    fitting = (step for step in STEPS_S if span_s / step <= 5.0)
    return next(fitting, DAY_S * max(1, ceil(span_s / DAY_S / 5.0)))


def _round_times(x: Scale) -> Iterator[tuple[float, str]]:
    step = _step_s(x.high - x.low)
    form = "%H:%M:%S" if step < 60 else "%H:%M"
    for number in range(ceil(x.low / step), floor(x.high / step) + 1):
        at = datetime.fromtimestamp(number * step, UTC)
        is_day = step >= DAY_S or (at.hour, at.minute, at.second) == (0, 0, 0)
        yield number * step, f"{at.day} {at:%b}" if is_day else f"{at:{form}}"


def _days(x: Scale) -> str:
    first, last = datetime.fromtimestamp(x.low, UTC), datetime.fromtimestamp(x.high, UTC)
    until = "" if first.date() == last.date() else f" to {last.day} {last:%b %Y}"
    return f"{first.day} {first:%b %Y}{until}, UTC"


def _marks(incident: Incident, x: Scale) -> Iterator[Mark]:
    lead = incident.lead
    said = [(one.at, f"▲ {cut(one.version, 12)} {one.stage}") for one in lead.rollouts[-ROLLOUTS:]]
    said += [(lead.onset_at, "onset"), (lead.detected_at, "proved")]
    end = incident.resolved_at if incident.state == "resolved" else None
    if end is not None and end <= x.high:
        said.append((end, "over"))
    taken: list[tuple[float, float, int]] = []
    for at, text in sorted(said):
        yield _placed(x.at(at), text, taken)


def _placed(place: float, text: str, taken: list[tuple[float, float, int]]) -> Mark:
    """Put a label into the first row where nothing is in its way."""
    width = LETTER * len(text)
    is_right = place + width > RIGHT + 6.0
    left = place - width if is_right else place
    row = next(
        (row for row in range(2) if not _overlaps(taken, left, left + width, row)),
        2,
    )
    taken.append((left, left + width, row))
    return Mark(
        place, text, place + (-3.0 if is_right else 3.0), 12.0 + ROW * row, "end" if is_right else "start"
    )


def _overlaps(taken: Sequence[tuple[float, float, int]], left: float, right: float, row: int) -> bool:
    return any(of_row == row and left < end + 4.0 and start - 4.0 < right for start, end, of_row in taken)
