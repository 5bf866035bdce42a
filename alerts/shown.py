"""Core. An incident as the API answers it."""

from __future__ import annotations

from typing import Any

from alerts.incident import Incident
from alerts.openapi import BRIEF
from alerts.rollback import results
from alerts.wording import details


def brief(incident: Incident) -> dict[str, Any]:
    """Return an entry of the list."""
    known = whole(incident)
    return {name: known[name] for name in BRIEF}


def whole(incident: Incident) -> dict[str, Any]:
    """Return everything of one incident."""
    said = details(incident, "resolve" if incident.state == "resolved" else "trigger")
    return said | {
        "state": incident.state,
        "acknowledged_by": incident.acknowledged_by or None,
        "opened_at": incident.opened_at,
        "changed_at": incident.changed_at,
        "acknowledged_at": incident.acknowledged_at,
        "muted_by": incident.muted_by or None,
        "muted_until": incident.muted_until,
        "notifications": incident.notifications,
        "comments": incident.comments,
        "rollbacks": results(incident),
        "parts": incident.parts,
    }
