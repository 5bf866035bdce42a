"""Core. What a digest says: how many notifications it stands for, and one line or entry for each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from alerts.incident import Incident, Notification
from alerts.links import Links
from alerts.outbox import Digest
from alerts.wording import STATES, TEXT, cut, headline, summary


def tally(digest: Digest) -> str:
    """Return one sentence: how many notifications, and how many of each state."""
    states = Counter(STATES[due.notification.action] for due in digest.dues)
    return f"{len(digest.dues)} notifications at once: {', '.join(f'{n} {state}' for state, n in states.items())}"


def line(incident: Incident, one: Notification, length: int) -> str:
    """Return a notification's state and summary in at most ``length`` characters."""
    return headline(incident, one.action, length)


def entries(digest: Digest, links: Links, limit: int) -> list[dict[str, Any]]:
    """Return each notification for machines; together at most ``limit`` bytes, of which 18 kB are enough.

    Texts are cut as far as it takes, and in the end links are left out.
    """
    for share, leading in ((1, links), (4, links), (12, links), (12, Links())):
        made = [_entry(due.incident, due.notification, leading, TEXT // share) for due in digest.dues]
        if len(msgspec.json.encode(made)) <= limit:
            break
    return made


def _entry(incident: Incident, one: Notification, links: Links, length: int) -> dict[str, Any]:
    return {
        "notification_id": one.id,
        "incident_id": incident.id,
        "dedup_key": incident.dedup_key,
        "state": STATES[one.action],
        "severity": incident.severity,
        "owner": cut(incident.owner, length),
        "model": cut(incident.lead.model, length),
        "summary": cut(summary(incident), length),
        "incident_url": links.incident(incident) or None,
    }
