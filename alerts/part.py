"""Core. What an incident remembers of the findings that joined it: their states, models, slices and versions."""

from __future__ import annotations

from msgspec.structs import replace

from alerts.grouping import harm
from alerts.incident import Child, FindingState, Incident, Part
from stream.events import Finding

FINDINGS_BUDGET = 2_000
"""How many findings one incident remembers; past it, the closed ones that joined first are forgotten."""

PARTS_BUDGET = 50
"""How many slices of versions one incident lists, the worst."""


def noted(incident: Incident, finding: Finding) -> Incident:
    """Return the incident with a finding as it is now, and with what that makes worst."""
    findings: dict[str, FindingState] = incident.findings | {finding.id: finding.state}
    closed = [name for name, state in findings.items() if state == "closed" and name != finding.id]
    for name in closed[: max(0, len(findings) - FINDINGS_BUDGET)]:
        del findings[name]
    tickets = tuple(name for name in incident.tickets if name in findings and name != finding.id)
    if finding.severity == "ticket":
        tickets = (*tickets, finding.id)
    known, now = incident.children.get(finding.model), child_of(finding)
    children = incident.children
    if finding.state == "open" and (known is None or now.harm > known.harm):
        children = children | {finding.model: now}
    return replace(
        incident, findings=findings, children=children, tickets=tickets, parts=_with_part(incident, finding)
    )


def _with_part(incident: Incident, finding: Finding) -> tuple[Part, ...]:
    if finding.state == "closed" or any(one.finding == finding.id for one in incident.parts):
        return incident.parts
    parts = sorted((*incident.parts, part_of(finding)), key=lambda one: (-one.child.harm, one.finding))
    return tuple(parts[:PARTS_BUDGET])


def part_of(finding: Finding) -> Part:
    """Return the slice of a version that a finding is about."""
    rollout = next((one for one in finding.rollouts if one.version == finding.version), None)
    return Part(
        finding=finding.id,
        model=finding.model,
        child=child_of(finding),
        onset_at=finding.onset_at,
        label=finding.label,
        stage=rollout.stage if rollout else "",
        rolled_out_at=rollout.at if rollout else None,
        is_shadow=is_of_shadow(finding),
    )


def is_of_shadow(finding: Finding) -> bool:
    """Return whether a finding is of harm in a shadow: only that is a ticket without any errors of its model."""
    return finding.severity == "ticket" and finding.feature is None and not finding.windows


def child_of(finding: Finding) -> Child:
    """Return what a finding says of its model."""
    return Child(
        harm=harm(finding),
        version=finding.version,
        slice=finding.slice,
        metric=finding.metric,
        before=finding.before,
        after=finding.after,
    )


def speaking(incident: Incident) -> Incident:
    """Return the incident with a lead that goes on, if it has one: when it is told late, the first may be over."""
    if incident.findings.get(incident.lead.id) == "open":
        return incident
    for one in incident.parts:
        if incident.findings.get(one.finding) == "open" and one.finding not in incident.tickets:
            said = incident.objective if one.model == incident.lead.model else ""
            return replace(incident, lead=lead_of(one, incident.lead.detected_at), objective=said)
    return incident


def lead_of(part: Part, detected_at: float) -> Finding:
    """Return a page's finding made of a part; its counts are 0, as no more is known of it than its part says."""
    return Finding(
        id=part.finding,
        state="open",
        severity="page",
        model=part.model,
        version=part.child.version,
        slice=part.child.slice,
        metric=part.child.metric,
        direction="worse",
        before=part.child.before,
        after=part.child.after,
        before_count=0,
        after_count=0,
        onset_at=part.onset_at,
        detected_at=max(detected_at, part.onset_at),
        events_since_onset=0,
        episode=1,
        label=part.label,
    )
