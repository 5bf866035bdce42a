"""Core. A finding and an incident to show and to try things with; nothing of them is real."""

from __future__ import annotations

from typing import Any

import msgspec

from alerts.incident import Action, Incident, Notification, notification_id
from alerts.ledger import Ledger
from alerts.owners import Owners
from alerts.triage import triage
from stream.events import Finding

FIELDS = ("model", "version", "slice", "metric", "severity")


def sample_finding(at: float, **fields: str) -> Finding:
    """Return a finding that began five minutes before ``at``; ``fields`` are some of ``FIELDS``.

    Raises:
        ValueError: a field is none of those, or its value can't be one of a finding.
    """
    unknown = sorted(fields.keys() - set(FIELDS))
    if unknown:
        raise ValueError(f"{unknown[0]}: want one of {', '.join(FIELDS)}")
    mae = fields.get("metric") == "mae"
    facts: dict[str, Any] = {
        "type": "finding",
        "id": "sample",
        "state": "open",
        "severity": "page",
        "model": "sample-model",
        "version": "1",
        "slice": "all",
        "metric": "accuracy",
        "direction": "worse",
        "before": 2.0 if mae else 0.91,
        "after": 5.0 if mae else 0.62,
        "before_count": 5_000,
        "after_count": 300,
        "onset_at": at - 300.0,
        "detected_at": at,
        "events_since_onset": 300,
        "episode": 1,
        "examples": ["sample-prediction"],
        "causes": ["rollout of 1 to live, 120 s before the onset"],
    }
    try:
        return msgspec.convert(facts | fields, Finding)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from None


def sample_incident(finding: Finding, owners: Owners, at: float) -> Incident:
    """Return the incident that this finding would open."""
    return triage(Ledger(), finding, owners, at).changed[0]


def drill_notification(incident: Incident, action: Action, receiver: str) -> Notification:
    """Return the notification of one action to one receiver."""
    return Notification(
        id=notification_id(incident.id, action, receiver),
        receiver=receiver,
        action=action,
        due_at=incident.opened_at,
    )
