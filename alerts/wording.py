"""Core. What is said of an incident, for machines (``details``) and for people (``headline``, ``facts``).

It is what its notification says, however late it is sent: the trigger of an incident that has resolved
meanwhile still reads ``open``. Text that is too long ends in ``…``; lists that are too long say how many are
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from alerts.grouping import FLAPS
from alerts.incident import Action, Child, Incident
from alerts.links import NOWHERE, Links
from stream.digits import in_digits
from stream.events import Finding
from stream.instant import in_words

TEXT = 300
SUMMARY = 1_024
"""PagerDuty's limit of a summary, in characters."""
EXAMPLES = 20
CAUSES = 10
FINDINGS = 50
WORST = 10
NAME = 40
DIGITS = 4
"""Of a figure that count: pages are where people compare two of them."""

SAID = {
    "@score": "the score",
    "@prediction": "the prediction",
    "@traffic": "predictions an hour",
    "@labels": "labels an hour",
    "@join": "events in the join",
    "@kinds": "kinds of outcomes",
    "@clock": "event times",
}
"""What a ticket's finding is about, if that is no feature."""
STATES: dict[Action, str] = {
    "trigger": "open",
    "acknowledge": "acknowledged",
    "resolve": "resolved",
    "rollback": "open",
}


def details(incident: Incident, action: Action, links: Links = NOWHERE, share: int = 1) -> dict[str, Any]:
    """Return what is known of the incident; the values are the leading finding's, instants epoch seconds.

    Texts and lists are cut to one ``share``-th of their usual limits.
    """
    text = TEXT // share
    findings = sorted(incident.findings)
    return {
        "incident_id": incident.id,
        "dedup_key": incident.dedup_key,
        "state": STATES[action],
        "severity": incident.severity,
        "owner": cut(incident.owner, text),
        "summary": cut(summary(incident), SUMMARY // share),
        "episode": incident.episode,
        "cause": cut(incident.cause, text) or None,
        "resolved_at": incident.resolved_at if action == "resolve" else None,
        "resolved_by": cut(incident.resolved_by, text) or None if action == "resolve" else None,
        "acknowledged_by": cut(incident.acknowledged_by, text) if action == "acknowledge" else None,
        "model_count": max(1, len(incident.children)),
        "objective": cut(incident.objective, text) or None,
        "worst": few(worst(incident), WORST // share, text),
        "findings": few(findings, FINDINGS // share, text),
        "finding_count": len(findings),
        "incident_url": links.incident(incident) or None,
        "runbook_url": links.runbook(incident) or None,
    } | _of_the_lead(incident.lead, share)


def _of_the_lead(lead: Finding, share: int) -> dict[str, Any]:
    text = TEXT // share
    return {
        "model": cut(lead.model, text),
        "version": cut(lead.version, text),
        "slice": cut(lead.slice, text),
        "metric": lead.metric,
        "feature": cut(lead.feature or "", text) or None,
        "label": cut(lead.label or "", text) or None,
        "direction": lead.direction,
        "before": lead.before,
        "after": lead.after,
        "before_count": lead.before_count,
        "after_count": lead.after_count,
        "onset_at": lead.onset_at,
        "detected_at": lead.detected_at,
        "proven_at": lead.proven_at,
        "events_since_onset": lead.events_since_onset,
        "examples": few(lead.examples, EXAMPLES // share, text),
        "causes": few(lead.causes, CAUSES // share, text),
    }


def fitting(incident: Incident, action: Action, links: Links, limit: int) -> dict[str, Any]:
    """Return the details whose JSON has at most ``limit`` bytes (2 kB fit always); undefined numbers are null."""
    for share in (1, 2, 4, 8):
        made = details(incident, action, links, share)
        if len(msgspec.json.encode(made)) <= limit:
            return made
    return details(incident, action, links, 10)


def summary(incident: Incident) -> str:
    """Return one sentence for a phone's screen: what broke, and how much of it when it is more than one model."""
    lead = incident.lead
    verb = "got worse" if lead.direction == "worse" else "changed"
    change = f"{lead.metric} {verb}, {_levels(lead)}"
    said = lead.summary or f"{lead.model} {lead.version} [{lead.slice}]: {change}"
    count = len(incident.children)
    if count < 2 and not incident.cause:
        return cut(said, SUMMARY)
    below = f" that depend on {cut(incident.cause)}" if incident.cause else ""
    return cut(f"{count} models{below} {verb}. {cut(said, TEXT)} Worst: {worst(incident)[0]}", SUMMARY)


def _levels(one: Finding | Child) -> str:
    return f"{in_digits(one.before, DIGITS)} to {in_digits(one.after, DIGITS)}"


def subject(lead: Finding) -> str:
    """Return what the metric is of, beside the model: what drifted, or a class; empty for all else."""
    if lead.feature is None:
        return f"class {cut(lead.label)}" if lead.metric == "recall" and lead.label is not None else ""
    return SAID.get(lead.feature, f"feature {cut(lead.feature)}")


def worst(incident: Incident) -> list[str]:
    """Return one line a model, the most harmed first."""
    ranked = sorted(incident.children.items(), key=lambda child: (-child[1].harm, child[0]))
    return [
        f"{cut(model, 100)} {cut(child.version, 40)} [{cut(child.slice, 80)}]: "
        f"{child.metric} {_levels(child)}"
        for model, child in ranked
    ]


def headline(incident: Incident, action: Action, limit: int) -> str:
    """Return the state and the summary in one line of at most ``limit`` characters."""
    return cut(f"{_state(incident, action)}: {summary(incident)}", limit)


def _state(incident: Incident, action: Action) -> str:
    if action == "resolve" and incident.resolved_by:
        return f"Resolved by {cut(incident.resolved_by, NAME)}"
    if action != "trigger" or incident.episode == 1:
        return STATES[action].capitalize()
    return "Flapping" if incident.episode >= FLAPS else "Open again"


def facts(incident: Incident, action: Action) -> list[tuple[str, str]]:
    """Return what a person wants to know, as (name, value); each value has at most ``TEXT`` characters."""
    lead = incident.lead
    found = [
        ("Owner", incident.owner),
        ("Model", f"{lead.model} {lead.version}"),
        ("Slice", lead.slice),
        ("Change", f"{lead.metric} {_levels(lead)}"),
        ("Since", in_words(lead.onset_at)),
        ("Findings", str(len(incident.findings))),
    ]
    if lead.events_since_onset:  # else it is not known
        since = "Outcomes since" if lead.feature is None else "Values since"
        found.insert(5, (since, str(lead.events_since_onset)))
    if incident.objective:
        found.append(("Objective", incident.objective))
    if about := subject(lead):
        found.insert(2, ("Of" if lead.feature is None else "What drifted", about))
    if len(incident.children) > 1:
        found.append(("Models", f"{len(incident.children)}, worst: {'; '.join(worst(incident)[:3])}"))
    if action == "acknowledge":
        found.append(("Acknowledged by", incident.acknowledged_by))
    if action == "resolve" and incident.resolved_at is not None:
        found.append(("Resolved", in_words(incident.resolved_at)))
    if action == "resolve" and incident.resolved_by:
        found.append(("Resolved by", incident.resolved_by))
    return [(name, cut(value)) for name, value in found]


def cut(text: str, limit: int = TEXT) -> str:
    """Return ``text`` in one line without control characters; its beginning and ``…`` when it is too long."""
    line = text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def few(texts: Sequence[str], limit: int, length: int = TEXT) -> list[str]:
    """Return the first texts, each cut; when there are more than ``limit``, the last entry says how many more."""
    if len(texts) <= limit:
        return [cut(text, length) for text in texts]
    kept = max(limit - 1, 0)
    return [*(cut(text, length) for text in texts[:kept]), f"… and {len(texts) - kept} more"]


def said_at(incident: Incident, action: Action) -> float:
    """Return when the incident came to the state that is told of, epoch seconds."""
    if action == "acknowledge" and incident.acknowledged_at is not None:
        return incident.acknowledged_at
    if action == "trigger":
        return incident.told_at or incident.opened_at  # a ticket may be old when it becomes a page
    return incident.changed_at


def rfc3339(at: float) -> str:
    """Return an instant as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(at: float) -> str:
    """Return an instant for a narrow column: day and time, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M:%S}"
