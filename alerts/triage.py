"""Core. The decision: what one finding changes, who must be told, and for which reasons.

A finding counts once for each of its two states, in whatever order and however often it arrives. The first
finding of an owner's model opens an incident; further ones join it and page nobody again; the last one that
closes resolves it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec.structs import replace

from alerts.incident import FindingState, Incident, due, incident_id
from alerts.ledger import Ledger
from alerts.owners import Owner, Owners
from stream.events import Finding

FINDINGS_BUDGET = 2_000
"""How many findings one incident remembers; past it, the closed ones that joined first are forgotten."""


class Reason(StrEnum):
    """What became of a finding; the name of the log line, the metric's label and the test."""

    OPENED = "opened"
    CHILD_ADDED = "child_added"
    ALREADY_OPEN = "already_open"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    STILL_OPEN_CHILDREN = "still_open_children"
    CLOSED_UNSEEN = "closed_unseen"
    TICKET_NOT_PAGED = "ticket_not_paged"
    NO_RECEIVERS = "no_receivers"
    REPEAT = "repeat"


class Decision(NamedTuple):
    """The incidents that changed, with their new due notifications, and why; the main reason first."""

    changed: tuple[Incident, ...]
    reasons: tuple[Reason, ...]


def triage(incidents: Ledger, finding: Finding, owners: Owners, now: float) -> Decision:
    """Decide about one finding; ``now`` is its Kafka timestamp in epoch seconds. Changes nothing itself."""
    holder = incidents.holding(finding.id)
    if holder is not None:
        if finding.state == "closed" and holder.findings[finding.id] == "open":
            return _close(holder, finding, now)
        return Decision((), (Reason.REPEAT,))
    owner = owners.of(finding.model)
    current = incidents.open_of(owner.name, finding.model)
    if finding.state == "closed":
        return _note_unseen(current, finding, owner, now)
    return _open(finding, owner, now) if current is None else _join(current, finding, owner, now)


def _new(finding: Finding, owner: Owner, now: float) -> Incident:
    return Incident(
        id=incident_id(owner.name, finding.model, finding.id),
        owner=owner.name,
        model=finding.model,
        state="open",
        severity=finding.severity,
        lead=finding,
        findings={finding.id: finding.state},
        opened_at=now,
        changed_at=now,
    )


def _open(finding: Finding, owner: Owner, now: float) -> Decision:
    incident, told = _tell(_new(finding, owner, now), owner)
    return Decision((incident,), (Reason.OPENED, *told))


def _join(current: Incident, finding: Finding, owner: Owner, now: float) -> Decision:
    joined = replace(current, findings=_noted(current, finding), changed_at=now)
    if current.severity == "page" or finding.severity == "ticket":
        return Decision((joined,), (Reason.CHILD_ADDED, Reason.ALREADY_OPEN))
    escalated, told = _tell(replace(joined, severity="page", lead=finding), owner)
    return Decision((escalated,), (Reason.CHILD_ADDED, Reason.ESCALATED, *told))


def _tell(incident: Incident, owner: Owner) -> tuple[Incident, tuple[Reason, ...]]:
    if incident.severity == "ticket":
        return incident, (Reason.TICKET_NOT_PAGED,)
    if not owner.receivers:
        return incident, (Reason.NO_RECEIVERS,)
    return replace(
        incident, notifications=due(incident.id, "trigger", owner.receivers, incident.changed_at)
    ), ()


def _noted(incident: Incident, finding: Finding) -> dict[str, FindingState]:
    findings = incident.findings | {finding.id: finding.state}
    closed = [name for name, state in findings.items() if state == "closed" and name != finding.id]
    for name in closed[: max(0, len(findings) - FINDINGS_BUDGET)]:
        del findings[name]
    return findings


def _close(holder: Incident, finding: Finding, now: float) -> Decision:
    closed = replace(holder, findings=_noted(holder, finding), changed_at=now)
    if closed.open_findings:
        return Decision((closed,), (Reason.STILL_OPEN_CHILDREN,))
    return Decision((_resolve(closed, finding, now),), (Reason.RESOLVED,))


def _resolve(incident: Incident, finding: Finding, now: float) -> Incident:
    """Whoever was to be told of the trouble is told of its end, but not who refused to hear of it."""
    told = tuple(n.receiver for n in incident.notifications if n.action == "trigger" and n.state != "failed")
    return replace(
        incident,
        state="resolved",
        resolved_at=finding.closed_at if finding.closed_at is not None else now,
        notifications=incident.notifications + due(incident.id, "resolve", told, now),
    )


def _note_unseen(current: Incident | None, finding: Finding, owner: Owner, now: float) -> Decision:
    """The end came before the beginning: remember it, so that the late beginning pages nobody."""
    if current is not None:
        noted = replace(current, findings=_noted(current, finding), changed_at=now)
    else:
        noted = _resolve(_new(finding, owner, now), finding, now)
    return Decision((noted,), (Reason.CLOSED_UNSEEN,))
