"""Core. Whether exactly the right team got exactly the right page and its resolve."""

from __future__ import annotations

from collections import defaultdict
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
    opened, resolved = _hooks(received, "incident.opened"), _hooks(received, "incident.resolved")
    found = [*_unsigned(received), *_wrong_team(received, plan.team, plan.model)]
    found += _counted(plan, "page", opened)
    found += _counted(plan, "resolve", resolved)
    if len(opened) == 1:
        found += _page(plan, opened[0])
    found += _pairs(received)
    return found


def strays(received: Sequence[Received], team: str, model: str, version: str) -> list[str]:
    """Return what came to the wrong team, about the wrong model, badly signed or without its other half."""
    found = [*_unsigned(received), *_wrong_team(received, team, model)]
    for page in _hooks(received, "incident.opened"):
        told = page.body["data"]
        wanted = {"owner": team, "model": model, "version": version, "metric": "accuracy", "state": "open"}
        found += _fields(told, wanted)
        found += _worse(told)
    return [*found, *_pairs(received)]


def _hooks(received: Sequence[Received], kind: str) -> list[Received]:
    return [one for one in received if one.kind == "webhook" and one.signed and one.body.get("type") == kind]


def _unsigned(received: Sequence[Received]) -> Iterator[str]:
    for one in received:
        if not one.signed:
            yield f"a {one.kind} request to {one.team} had a bad signature or key"


def _wrong_team(received: Sequence[Received], team: str, model: str) -> Iterator[str]:
    for one in received:
        if one.team != team:
            about = one.body.get("data", {}).get("model") or one.body.get("payload", {}).get("source", "")
            yield f"{one.team} was told by {one.kind} ({about or 'no model'}), but {model} is {team}'s"


def _counted(plan: Plan, what: str, ones: Sequence[Received]) -> Iterator[str]:
    if len(ones) == 1:
        return
    came = "; ".join(f"{_name(one.body['data'])} to {one.team}" for one in ones)
    want = f"{plan.model} {plan.version} in {plan.slice} to {plan.team}"
    yield f"{len(ones)} {what}s came ({came or 'none'}), want 1: {want}"


def _name(told: dict[str, Any]) -> str:
    return f"{told['model']} {told['version']} in {told['slice']}"


def _fields(told: dict[str, Any], wanted: dict[str, str]) -> Iterator[str]:
    for name, value in wanted.items():
        if told.get(name) != value:
            yield f"the page's {name} is {told.get(name)!r}, want {value!r}"


def _worse(told: dict[str, Any]) -> Iterator[str]:
    rose = told["after"] > told["before"] if told["metric"] == "mae" else told["after"] < told["before"]
    if not rose:
        yield (
            f"the page says {told['metric']} went from {told['before']} to {told['after']}, which is not worse"
        )


def _page(plan: Plan, page: Received) -> Iterator[str]:
    told = page.body["data"]
    wanted = {"owner": plan.team, "model": plan.model, "version": plan.version, "slice": plan.slice}
    yield from _fields(told, {**wanted, "metric": plan.metric, "state": "open"})
    late_s = told["onset_at"] - plan.degrades_at
    if abs(late_s) > ONSET_TOLERANCE_S:
        yield f"the page's onset is {late_s:+.1f} s off, want within {ONSET_TOLERANCE_S:.0f} s"
    yield from _worse(told)


def _pairs(received: Sequence[Received]) -> Iterator[str]:
    """Every resolve after one page with its key, and PagerDuty the same as the webhook."""
    hooks, pagers = defaultdict(list), defaultdict(list)
    words = {"incident.opened": "trigger", "incident.resolved": "resolve"}
    for one in received:
        if one.kind == "pagerduty":
            pagers[one.body.get("dedup_key")].append(one.body.get("event_action"))
        elif one.signed:
            hooks[one.body["data"]["dedup_key"]].append(words.get(one.body["type"], one.body["type"]))
    for key in {**hooks, **pagers}:
        for name, said in (("the webhook", hooks[key]), ("PagerDuty", pagers[key])):
            if said not in (["trigger"], ["trigger", "resolve"]):
                yield f"{name} got {said} for {key}, want a trigger and then at most one resolve"
        if hooks[key] != pagers[key]:
            yield f"for {key} the webhook got {hooks[key]} and PagerDuty {pagers[key]}, want the same"
