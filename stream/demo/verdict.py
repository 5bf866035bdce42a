"""Core. Whether exactly the right team got exactly the right page and its resolve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from stream.demo.fleet import Plan

ONSET_TOLERANCE_S = 30.0


class Received(NamedTuple):
    """One request as it came in; ``at`` in epoch seconds."""

    team: str
    kind: str
    at: float
    body: dict[str, Any]
    signed: bool


def differences(plan: Plan, received: Sequence[Received]) -> list[str]:
    """Return in plain words what differs from one page and one resolve to the planned team; empty: all right."""
    hooks = [one for one in received if one.kind == "webhook"]
    opened = [one for one in hooks if one.body.get("type") == "incident.opened"]
    resolved = [one for one in hooks if one.body.get("type") == "incident.resolved"]
    found = [f"a webhook to {one.team} had a bad signature" for one in hooks if not one.signed]
    found += [
        f"{one.team} was told, but {plan.model} is {plan.team}'s" for one in received if one.team != plan.team
    ]
    found += _counted("page", opened) + _counted("resolve", resolved)
    if len(opened) == 1:
        found += _page(plan, opened[0])
    if len(opened) == len(resolved) == 1:
        found += _pair(opened[0], resolved[0])
    found += _pagerduty(opened, [one for one in received if one.kind == "pagerduty"])
    return found


def _counted(what: str, ones: Sequence[Received]) -> list[str]:
    models = ", ".join(sorted({str(one.body["data"]["model"]) for one in ones}))
    return [] if len(ones) == 1 else [f"{len(ones)} {what}s came, want 1 ({models or 'none'})"]


def _page(plan: Plan, page: Received) -> Iterator[str]:
    told = page.body["data"]
    wanted = {"owner": plan.team, "model": plan.model, "version": plan.version, "slice": plan.slice}
    for name, value in {**wanted, "metric": plan.metric, "state": "open"}.items():
        if told.get(name) != value:
            yield f"the page's {name} is {told.get(name)!r}, want {value!r}"
    late_s = told["onset_at"] - plan.degrades_at
    if abs(late_s) > ONSET_TOLERANCE_S:
        yield f"the page's onset is {late_s:+.1f} s off, want within {ONSET_TOLERANCE_S:.0f} s"
    worse = told["after"] > told["before"] if plan.metric == "mae" else told["after"] < told["before"]
    if not worse:
        yield f"the page says {plan.metric} went from {told['before']} to {told['after']}, which is not worse"


def _pair(page: Received, resolve: Received) -> Iterator[str]:
    if resolve.body["data"]["dedup_key"] != page.body["data"]["dedup_key"]:
        yield "the resolve has another dedup key than the page"
    if resolve.at < page.at:
        yield "the resolve came before the page"


def _pagerduty(opened: Sequence[Received], events: Sequence[Received]) -> Iterator[str]:
    actions = [one.body.get("event_action") for one in events]
    if actions != ["trigger", "resolve"]:
        yield f"PagerDuty got {actions}, want a trigger and then a resolve"
    keys = {one.body.get("dedup_key") for one in (*events,)} | {
        one.body["data"]["dedup_key"] for one in opened
    }
    if len(keys) > 1:
        yield f"PagerDuty and webhook disagree on the dedup key: {sorted(map(str, keys))}"
