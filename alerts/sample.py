"""Core. A finding and an incident to show and to try things with; nothing of them is real."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from alerts.incident import Action, Incident, Notification, Rollback, notification_id
from alerts.ledger import Ledger
from alerts.objective import PACES
from alerts.owners import Owners
from alerts.triage import triage
from stream.events import Finding, Window

FIELDS = ("model", "version", "slice", "metric", "severity")
FIGURES: dict[str, tuple[float, float, str | None]] = {
    "accuracy": (0.91, 0.62, None),
    "recall": (0.91, 0.62, "sample-class"),
    "mae": (2.0, 5.0, None),
    "log_loss": (0.25, 0.81, None),
    "brier": (0.08, 0.27, None),
    "bias": (0.1, 3.1, "above"),
    "traffic": (120.0, 0.0, None),
    "labels": (120.0, 0.0, None),
}
"""By metric: before, after, and a class or a side; what is not here is a share or an index that rose."""
OUTCOMES = 10_000
"""Of a window: a share is said to a ten-thousandth."""


def sample_finding(at: float, **fields: str) -> Finding:
    """Return a finding that began five minutes before ``at``; ``fields`` are some of ``FIELDS``.

    Raises:
        ValueError: a field is none of those, or its value can't be one of a finding.
    """
    unknown = sorted(fields.keys() - set(FIELDS))
    if unknown:
        raise ValueError(f"{unknown[0]}: want one of {', '.join(FIELDS)}")
    before, after, label = FIGURES.get(fields.get("metric", "accuracy"), (0.02, 0.31, None))
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
        "before": before,
        "after": after,
        "before_count": 5_000,
        "after_count": 300,
        "onset_at": at - 300.0,
        "detected_at": at,
        "events_since_onset": 300,
        "episode": 1,
        "examples": ["sample-prediction"],
        "causes": ["rollout of 1 to live, 2 min before the onset"],
        "label": label,
    }
    try:
        return msgspec.convert(facts | fields, Finding)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from None


def counted(finding: Finding, wrong: float | None = None) -> Finding:
    """Return a classifier's finding with its windows, for an objective: in each this share of outcomes is wrong.

    ``wrong`` is within 0..1, ``None`` for the share after the onset; a finding of another metric has no windows.
    """
    if finding.metric != "accuracy":
        return finding
    share = 1.0 - finding.after if wrong is None else wrong
    spans_s = sorted({span_s for pace in PACES for span_s in (pace.short_s, pace.long_s)})
    windows = (Window(span_s=span_s, outcomes=OUTCOMES, wrong=round(share * OUTCOMES)) for span_s in spans_s)
    return replace(finding, windows=tuple(windows))


def sample_incident(finding: Finding, owners: Owners, at: float) -> Incident:
    """Return the incident that this finding would open."""
    return triage(Ledger(), finding, owners, at).changed[0]


def sample_rollback(incident: Incident, hook: str) -> tuple[Incident, Notification]:
    """Return the incident with its lead's version to be rolled back, and the request to ``hook``."""
    lead, asked_at = incident.lead, incident.opened_at
    suspect = Rollback(
        model=lead.model, version=lead.version, rolled_out_at=lead.onset_at - 120.0, asked_by="sample"
    )
    asked = replace(suspect, asked_at=asked_at, notification="rbk_sample")
    request = Notification(
        id="rbk_sample", receiver=hook, action="rollback", due_at=asked_at, expires_at=asked_at + 600.0
    )
    return replace(incident, rollbacks=(asked,)), request


def drill_notification(incident: Incident, action: Action, receiver: str) -> Notification:
    """Return the notification of one action to one receiver."""
    return Notification(
        id=notification_id(incident.id, action, receiver),
        receiver=receiver,
        action=action,
        due_at=incident.opened_at,
    )
