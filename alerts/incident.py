"""Core. An incident: what one owner is told about one model, from the first finding to the last one's end.

Ids are computed from content, so the same findings give the same ids on every worker and after every crash.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from stream.events import Finding

Action = Literal["trigger", "acknowledge", "resolve"]
FindingState = Literal["open", "closed"]
STATES = ("open", "acknowledged", "resolved")
ACTIONS: tuple[Action, ...] = ("trigger", "acknowledge", "resolve")


class Notification(Struct, frozen=True, kw_only=True):
    """One message to one receiver: due until the receiver accepted it (sent) or refused it for good (failed).

    ``id`` is the receiver's idempotency key: every repeat carries the same. ``due_at`` (when it was decided)
    and ``accepted_at`` are epoch seconds.
    """

    id: str
    receiver: str
    action: Action
    state: Literal["due", "sent", "failed"] = "due"
    attempts: int = 0
    due_at: float = 0.0
    accepted_at: float | None = None
    last_error: str = ""


class Incident(Struct, frozen=True, kw_only=True):
    """One owner's trouble with one model. ``lead`` is the finding that the page speaks of.

    ``findings`` says of every finding that joined whether it is still open. ``opened_at`` and ``changed_at``
    are Kafka timestamps, ``resolved_at`` is event time; all in epoch seconds.
    """

    schema: Literal[1] = 1
    id: str
    owner: str
    model: str
    state: Literal["open", "acknowledged", "resolved"]
    severity: Literal["page", "ticket"]
    lead: Finding
    findings: dict[str, FindingState]
    opened_at: float
    changed_at: float
    resolved_at: float | None = None
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    notifications: tuple[Notification, ...] = ()

    @property
    def dedup_key(self) -> str:
        """The key under which receivers gather everything about this incident."""
        return f"tidewatch-{self.id}"

    @property
    def open_findings(self) -> int:
        """How many of the findings are still open."""
        return sum(state == "open" for state in self.findings.values())

    @property
    def settled(self) -> bool:
        """Whether nothing is left to send."""
        return all(notification.state != "due" for notification in self.notifications)

    def notification(self, notification_id: str) -> Notification:
        """Return one notification; raises KeyError when this incident has no such one."""
        for notification in self.notifications:
            if notification.id == notification_id:
                return notification
        raise KeyError(notification_id)

    def trigger_of(self, receiver: str) -> Notification | None:
        """Return the trigger for ``receiver``, or ``None`` when it was never to be told."""
        return next((n for n in self.notifications if n.receiver == receiver and n.action == "trigger"), None)


def incident_id(owner: str, model: str, finding_id: str) -> str:
    """Return the id of the incident that this finding opens."""
    return f"inc_{_digest(owner, model, finding_id)}"


def notification_id(incident: str, action: Action, receiver: str) -> str:
    """Return the idempotency key of one notification; without a dot, as Standard Webhooks wants."""
    return f"ntf_{_digest(incident, action, receiver)}"


def due(incident: str, action: Action, receivers: tuple[str, ...], at: float) -> tuple[Notification, ...]:
    """Return one due notification for each receiver, decided ``at`` epoch seconds."""
    return tuple(
        Notification(id=notification_id(incident, action, name), receiver=name, action=action, due_at=at)
        for name in receivers
    )


def with_notification(incident: Incident, changed: Notification) -> Incident:
    """Return ``incident`` with the notification of the same id replaced."""
    swapped = tuple(changed if old.id == changed.id else old for old in incident.notifications)
    return replace(incident, notifications=swapped)


def rerouted(incident: Incident, refused: Notification, fallback: str) -> Incident:
    """Return the incident with a refused trigger due at another receiver, unless that one is told already.

    The end of an incident that has resolved meanwhile follows the trigger there.
    """
    if refused.action != "trigger" or incident.trigger_of(fallback) is not None:
        return incident
    made = due(incident.id, "trigger", (fallback,), refused.due_at)
    if incident.state == "resolved":
        made += due(incident.id, "resolve", (fallback,), refused.due_at)
    return replace(incident, notifications=incident.notifications + made)


def sendable(incident: Incident, notification: Notification) -> bool:
    """Whether it may leave now: what follows a trigger waits until its receiver has accepted that."""
    if notification.state != "due":
        return False
    if notification.action == "trigger":
        return True
    trigger = incident.trigger_of(notification.receiver)
    return trigger is not None and trigger.state == "sent"


def _digest(*parts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
