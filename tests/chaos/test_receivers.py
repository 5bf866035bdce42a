"""The judge of the pagers' storms sees what it is there to see."""

from __future__ import annotations

import json

import pytest

from tests.chaos import receivers
from tests.chaos.receivers import Receivers

KINDS = {"trigger": "incident.opened", "resolve": "incident.resolved"}
BOTH = ("trigger", "resolve")
RIGHT = [("trigger", "id-1"), ("resolve", "id-2")]


@pytest.fixture(autouse=True)
def mild(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "REFUSED_SHARE", 0.0)
    monkeypatch.setattr(receivers, "SLOW_SHARE", 0.0)


def told(*hook: tuple[str, str], pagerduty: tuple[str, ...] = BOTH) -> Receivers:
    got = Receivers(1)
    for action, name in hook:
        body = {"type": KINDS[action], "data": {"dedup_key": "k"}}
        got.take("/hook", name, json.dumps(body).encode())
    for action in pagerduty:
        got.take("/v2/enqueue", "", json.dumps({"event_action": action, "dedup_key": "k"}).encode())
    return got


def wrong(got: Receivers, incidents: int = 1) -> dict[str, int]:
    return {name: count for name, count in got.faults(incidents).items() if count}


def test_all_told_and_one_repeated_is_right() -> None:
    got = told(RIGHT[0], *RIGHT)
    assert wrong(got) == {}
    assert got.repeats == 1


@pytest.mark.parametrize(
    ("hook", "pagerduty", "fault"),
    [
        (RIGHT[:1], BOTH, "notifications_lost"),
        (RIGHT, BOTH[:1], "notifications_lost"),
        ([RIGHT[0], ("trigger", "id-3"), RIGHT[1]], BOTH, "repeats_with_new_id"),
        (RIGHT[::-1], BOTH, "disordered"),
        ([*RIGHT, RIGHT[0]], BOTH, "disordered"),
        (RIGHT, BOTH[::-1], "disordered"),
    ],
)
def test_each_fault_is_counted(hook: list[tuple[str, str]], pagerduty: tuple[str, ...], fault: str) -> None:
    assert fault in wrong(told(*hook, pagerduty=pagerduty))


def test_what_was_never_sent_is_counted() -> None:
    got = told(*RIGHT)
    body = {"event_action": "trigger", "dedup_key": "other"}
    got.take("/v2/enqueue", "", json.dumps(body).encode())
    assert got.faults(1)["incidents_made_up"] == 1


def test_a_refused_request_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "REFUSED_SHARE", 1.0)
    got = told(*RIGHT)
    assert (got.told, got.refused) == ([], 4)
