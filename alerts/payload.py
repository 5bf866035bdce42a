"""Core. What receivers are sent: the webhook's body and PagerDuty's event, within every documented limit.

A body says what its notification says, however late it is sent: the trigger of an incident that has resolved
meanwhile still reads ``open``. Text that is too long ends in ``…``; lists that are too long are counted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from alerts.incident import Action, Incident

TEXT = 300
SUMMARY = 1_024
"""PagerDuty's limit of a summary, in characters."""
EXAMPLES = 20
CAUSES = 10
FINDINGS = 50

EVENT_TYPES: dict[Action, str] = {"trigger": "incident.opened", "resolve": "incident.resolved"}
SEVERITIES = {"page": "critical", "ticket": "warning"}


def webhook_body(incident: Incident, action: Action) -> bytes:
    """Return the JSON body of the generic webhook; undefined numbers are ``null``."""
    body = {
        "type": EVENT_TYPES[action],
        "timestamp": _rfc3339(_said_at(incident, action)),
        "data": details(incident, action),
    }
    return msgspec.json.encode(body)


def pagerduty_body(incident: Incident, action: Action, routing_key: str) -> bytes:
    """Return the JSON body for PagerDuty's Events API v2; trigger and resolve share one ``dedup_key``."""
    head = {"routing_key": routing_key, "event_action": action, "dedup_key": incident.dedup_key}
    if action == "resolve":
        return msgspec.json.encode(head)
    lead = incident.lead
    payload = {
        "summary": summary(incident),
        "source": cut(lead.model),
        "severity": SEVERITIES[incident.severity],
        "timestamp": _rfc3339(incident.opened_at),
        "component": cut(lead.version),
        "group": cut(incident.owner),
        "class": lead.metric,
        "custom_details": details(incident, action),
    }
    return msgspec.json.encode(head | {"client": "Tidewatch", "payload": payload})


def details(incident: Incident, action: Action) -> dict[str, Any]:
    """Return what is known of the incident; the values are the leading finding's, instants epoch seconds."""
    lead = incident.lead
    findings = sorted(incident.findings)
    return {
        "incident_id": incident.id,
        "dedup_key": incident.dedup_key,
        "state": "open" if action == "trigger" else "resolved",
        "severity": incident.severity,
        "owner": cut(incident.owner),
        "model": cut(lead.model),
        "version": cut(lead.version),
        "slice": cut(lead.slice),
        "metric": lead.metric,
        "direction": lead.direction,
        "before": lead.before,
        "after": lead.after,
        "before_count": lead.before_count,
        "after_count": lead.after_count,
        "onset_at": lead.onset_at,
        "detected_at": lead.detected_at,
        "resolved_at": incident.resolved_at if action == "resolve" else None,
        "proven_at": lead.proven_at,
        "events_since_onset": lead.events_since_onset,
        "examples": [cut(example) for example in lead.examples[:EXAMPLES]],
        "causes": [cut(cause) for cause in lead.causes[:CAUSES]],
        "findings": [cut(finding) for finding in findings[:FINDINGS]],
        "finding_count": len(findings),
        "summary": summary(incident),
    }


def summary(incident: Incident) -> str:
    """Return one sentence for a phone's screen: the finding's own, or one made of its figures."""
    lead = incident.lead
    change = f"{lead.metric} got worse, {lead.before:.4g} to {lead.after:.4g}"
    return cut(lead.summary or f"{lead.model} {lead.version} [{lead.slice}]: {change}", SUMMARY)


def cut(text: str, limit: int = TEXT) -> str:
    """Return ``text``, or its beginning and ``…`` when it is longer than ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _said_at(incident: Incident, action: Action) -> float:
    return incident.opened_at if action == "trigger" else incident.changed_at


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
