"""Core. Digests: notifications that one receiver's limit has piled up, said in one message that lists them all.

Which notifications a digest is made of is decided in the book and durable before it leaves, so every repeat has
the same id and lists the same. An incident's notifications stand in it in their order: never its end before its
trigger.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from alerts.incident import Incident, Notification, digest, with_notification
from alerts.outbox import Outbox

PREFIX = "dig_"
MOST = 30
"""Notifications of one digest at most, so that it keeps every receiver's limits."""


def bundled(outbox: Outbox, receiver: str) -> list[Incident]:
    """Return the incidents of what waits for this receiver, put into digests; a single one stays alone."""
    waiting = [one for run in outbox.runs(receiver) for one in run]
    changed: dict[str, Incident] = {}
    for first in range(0, len(waiting), MOST):
        members = waiting[first : first + MOST]
        if len(members) < 2:
            continue
        name = digest_id([one.notification for one in members])
        for due in members:
            incident = changed.get(due.incident.id, due.incident)
            marked = replace(due.notification, digest=name)
            changed[incident.id] = with_notification(incident, marked)
    return [*changed.values()]


def digest_id(members: Sequence[Notification]) -> str:
    """Return the id of the digest of these notifications, the idempotency key of all its repeats."""
    return f"{PREFIX}{digest(*(one.id for one in members))}"
