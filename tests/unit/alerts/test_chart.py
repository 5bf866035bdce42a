"""The incident's chart: what is marked, and that nothing leaves the frame whatever the figures are."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts.chart import drawing, interval
from alerts.incident import Incident
from alerts.page import METRICS, render
from stream.events import Metric, RolledOut
from tests.unit.alerts.samples import finding, incident_of

NOON = 1_795_521_600.0
"""2026-11-24 12:00 UTC."""
ROLLOUTS = (
    RolledOut(version="8", stage="canary", at=NOON - 600.0),
    RolledOut(version="8", stage="live", at=NOON - 60.0),
)


def incident(**fields: Any) -> Incident:
    usual = {
        "onset_at": NOON,
        "onset_after": NOON - 90.0,
        "onset_before": NOON + 30.0,
        "detected_at": NOON + 300.0,
    }
    return incident_of(finding("a", **usual | fields))


def marks(held: Incident) -> dict[str, float]:
    return {mark.text: mark.x for mark in drawing(held)["marks"]}


def test_what_happened_is_marked_in_its_order() -> None:
    shown = marks(incident(rollouts=ROLLOUTS))
    assert [*shown] == ["▲ 8 canary", "▲ 8 live", "onset", "proved"]
    assert sorted(shown.values()) == [*shown.values()]


def test_interval_of_the_onset_lies_around_it() -> None:
    shown = drawing(incident())
    assert shown["onset_from"] < shown["onset"] < shown["onset_to"]
    unknown = drawing(incident(onset_after=None, onset_before=None))
    assert unknown["onset_from"] == unknown["onset"] == unknown["onset_to"]


def test_time_axis_has_round_instants() -> None:
    columns = drawing(incident(rollouts=ROLLOUTS))["columns"]
    assert ("12:00") in [text for _, text in columns]
    assert 3 <= len(columns) <= 6
    days = drawing(incident(onset_after=NOON - 4 * 86_400.0, detected_at=NOON + 86_400.0))["columns"]
    assert "23 Nov" in [text for _, text in days]


@pytest.mark.parametrize(("after_s", "is_marked"), [(900.0, True), (90_000.0, False)])
def test_end_is_marked_unless_it_is_far_away(after_s: float, is_marked: bool) -> None:
    ended = replace(incident(), state="resolved", resolved_at=NOON + after_s)
    assert ("over" in marks(ended)) is is_marked


def test_band_is_an_interval_where_counts_give_one() -> None:
    value, low, high = drawing(incident())["after"]
    assert high < value < low
    assert len({*drawing(incident(metric="mae"))["after"]}) == 1
    told = incident(metric="mae", before_lower=0.1, before_upper=2.0, after_lower=2.5, after_upper=9.0)
    assert len({*drawing(told)["after"]}) == len({*drawing(told)["before"]}) == 3


def test_labels_do_not_lie_on_each_other() -> None:
    near = tuple(
        RolledOut(version=f"release-{n}", stage="canary", at=NOON - 50.0 + 20.0 * n) for n in range(2)
    )
    shown = drawing(incident(rollouts=near))["marks"]
    rows = [[mark for mark in shown if mark.y == y] for y in {mark.y for mark in shown}]
    for row in rows[:2]:
        for one, other in pairwise(row):
            assert abs(one.text_x - other.text_x) > 6.0 * min(len(one.text), len(other.text))


amounts = st.floats(0.0, 1.0) | st.sampled_from([0.0, 1.0, 0.5])
instants = st.floats(NOON - 1e6, NOON + 1e6)


@given(
    metric=st.sampled_from(["accuracy", "mae", "psi", "missing_rate"]),
    before=amounts,
    after=amounts,
    counts=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    onset=instants,
    detected=instants,
    rolled_out=st.lists(instants, max_size=5),
)
def test_everything_stays_in_the_frame(
    metric: str,
    before: float,
    after: float,
    counts: tuple[int, int],
    onset: float,
    detected: float,
    rolled_out: list[float],
) -> None:
    held = incident(
        metric=metric,
        before=before,
        after=after,
        before_count=counts[0],
        after_count=counts[1],
        onset_at=onset,
        detected_at=detected,
        rollouts=tuple(RolledOut(version="a long version name", stage="live", at=at) for at in rolled_out),
    )
    chart = re.search(r"<svg.*</svg>", render(held, {}, NOON), re.DOTALL)
    assert chart is not None
    numbers = re.findall(r' (x|y|x1|x2|y1|y2|width|height)="([^"]+)"', chart[0])
    assert len(numbers) > 30
    for name, text in numbers:
        assert 0.0 <= float(text) <= (360.0 if name[0] in "xw" else 230.0), (name, text)


def test_words_are_those_of_what_was_counted() -> None:
    drift = incident(metric="psi", feature="distance", severity="ticket", direction="changed")
    assert "5000 values in the reference, 300 in the newest window" in render(drift, {}, NOON)
    assert "outcomes" not in render(drift, {}, NOON)
    assert "Population stability index: feature distance" in render(drift, {}, NOON)
    assert "5000 outcomes before the onset, 300 since" in render(incident(), {}, NOON)


def test_interval_is_wilsons() -> None:
    low, high = interval(0.5, 100)
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert interval(1.0, 10)[1] == 1.0
    assert interval(0.0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("metric", get_args(Metric))
def test_page_of_every_metric_can_be_shown(metric: Metric) -> None:
    ticket = {"severity": "ticket", "direction": "changed", "slice": "all", "feature": "@traffic"}
    assert METRICS[metric] in render(incident(metric=metric, before=0.5, after=0.0, **ticket), {}, NOON)
