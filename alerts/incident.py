"""Core. An incident: what one owner is told about one trouble, from the first finding to the last one's end.

Ids are computed from content, so the same findings give the same ids on every worker and after every crash.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from stream.events import Finding, Metric

Action = Literal["trigger", "acknowledge", "resolve", "rollback", "change", "digest"]
FindingState = Literal["open", "closed"]
STATES = ("open", "acknowledged", "resolved")
ACTIONS: tuple[Action, ...] = ("trigger", "acknowledge", "resolve")
"""What receivers are told of an incident; a rollback is asked of its hook only, the others are of no one."""
PREFIX = "inc_"
HUSHED = "silence by "
"""How ``muted_by`` begins when somebody asked for the quiet of just this incident."""
NOTIFICATIONS_BUDGET = 100
"""How many notifications one incident remembers; past it, the oldest that are settled are forgotten."""


class Notification(Struct, frozen=True, kw_only=True):
    """One message to one receiver: due until the receiver accepted it (sent) or refused it for good (failed).

    ``id`` is the receiver's idempotency key: every repeat carries the same. ``due_at`` (when it was decided),
    ``accepted_at`` and ``expires_at`` (past it, it must not leave any more) are epoch seconds. ``digest`` is the
    id of the one that it leaves in, empty: alone.
    """

    id: str
    receiver: str
    action: Action
    episode: int = 1
    state: Literal["due", "sent", "failed"] = "due"
    attempts: int = 0
    due_at: float = 0.0
    accepted_at: float | None = None
    expires_at: float | None = None
    last_error: str = ""
    digest: str = ""


class Child(Struct, frozen=True, kw_only=True):
    """The worst that an incident's findings said of one model; ``harm``: how many times the loss got larger."""

    harm: float
    version: str
    slice: str
    metric: Metric
    before: float
    after: float


class Part(Struct, frozen=True, kw_only=True):
    """One slice of one version that got worse, by its finding; ``rolled_out_at`` when it is known to be fresh.

    ``is_shadow``: the version served nobody then.
    """

    finding: str
    model: str
    child: Child
    onset_at: float
    label: str | None = None
    stage: str = ""
    rolled_out_at: float | None = None
    is_shadow: bool = False


class Comment(Struct, frozen=True, kw_only=True):
    """What somebody wrote, ``at`` epoch seconds."""

    by: str
    text: str
    at: float


class Rollback(Struct, frozen=True, kw_only=True):
    """A fresh version that a finding blames, rolled out at ``rolled_out_at`` (event time).

    ``asked_at`` (epoch seconds) is ``None`` until its rollback was asked for. ``notification`` is the id of the
    request; when none was made, ``held_back`` says why.
    """

    model: str
    version: str
    rolled_out_at: float
    asked_by: str = ""
    asked_at: float | None = None
    notification: str = ""
    held_back: str = ""


class Incident(Struct, frozen=True, kw_only=True):
    """One owner's trouble. ``lead`` is the finding that the page speaks of; ``children`` are by model,
    ``parts`` the worst of its slices and versions.

    ``findings`` says of every finding that joined whether it is still open. ``cause`` names the upstream that
    the incident is about, empty when it is about the owner's own models. ``muted_by`` says what keeps it quiet
    until ``muted_until``: the id of an upstream's incident, a silence, quiet hours. ``told_at`` is when this
    episode's triggers were due, after quiet those that said it again; ``steps`` and ``rounds`` count what was
    escalated and repeated, ``rounds_before`` the latter until ``told_at``, ``unheard`` those left out since then.
    ``recovered_at`` is since when all is well and it waits to resolve. Instants are Kafka timestamps in epoch
    seconds, but ``resolved_at`` is event time unless somebody, ``resolved_by``, resolved it by hand.
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
    episode: int = 1
    children: dict[str, Child] = {}
    parts: tuple[Part, ...] = ()
    cause: str = ""
    muted_by: str = ""
    muted_until: float | None = None
    told_at: float | None = None
    steps: int = 0
    rounds: int = 0
    rounds_before: int = 0
    unheard: int = 0
    comments: tuple[Comment, ...] = ()
    recovered_at: float | None = None
    resolved_at: float | None = None
    resolved_by: str = ""
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    notifications: tuple[Notification, ...] = ()
    rollbacks: tuple[Rollback, ...] = ()
    tickets: tuple[str, ...] = ()
    """Those of ``findings`` that are tickets."""
    objective: str = ""
    """What the owner's objective made of the harm, in words; empty without one."""

    @property
    def dedup_key(self) -> str:
        """The key under which receivers gather everything about this incident."""
        return f"tidewatch-{self.id}"

    @property
    def keys(self) -> tuple[str, ...]:
        """Under what it is found among its owner's: its upstream, or each of its models."""
        return (
            (cause_key(self.cause),)
            if self.cause
            else tuple({self.model: None} | dict.fromkeys(self.children))
        )

    @property
    def open_findings(self) -> int:
        """How many of the findings are still open; tickets do not keep open what pages."""
        passed_over = self.tickets if self.severity == "page" else ()
        return sum(state == "open" and name not in passed_over for name, state in self.findings.items())

    @property
    def settled(self) -> bool:
        """Whether nothing is left to send."""
        return all(notification.state != "due" for notification in self.notifications)

    @property
    def is_inhibited(self) -> bool:
        """Whether an upstream's incident keeps it quiet."""
        return self.muted_by.startswith(PREFIX)

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has been told of this episode, as something keeps it quiet."""
        return self.state == "open" and self.told_at is None and self.muted_until is not None

    @property
    def is_hushed(self) -> bool:
        """Whether somebody asked for the quiet of just this incident."""
        return self.muted_by.startswith(HUSHED)

    def rollback_of(self, model: str, version: str) -> Rollback | None:
        """Return what the incident knows of this version's rollback, ``None`` when it doesn't blame it."""
        return next((one for one in self.rollbacks if (one.model, one.version) == (model, version)), None)

    def notification(self, notification_id: str) -> Notification:
        """Return one notification; raises KeyError when this incident has no such one."""
        for notification in self.notifications:
            if notification.id == notification_id:
                return notification
        raise KeyError(notification_id)

    def trigger_of(self, receiver: str, episode: int) -> Notification | None:
        """Return an episode's trigger for ``receiver``, or ``None`` when it was never to be told."""
        for one in self.notifications:
            if (one.receiver, one.action, one.episode) == (receiver, "trigger", episode):
                return one
        return None

    def has_heard(self, receiver: str, episode: int) -> bool:
        """Whether ``receiver`` has accepted a trigger of this episode."""
        wanted = (receiver, "trigger", episode, "sent")
        return any((one.receiver, one.action, one.episode, one.state) == wanted for one in self.notifications)

    def heard_last(self, receiver: str) -> Notification | None:
        """Return what ``receiver`` has accepted last, ``None`` without one or while the end waits for it."""
        mine = [one for one in self.notifications if one.receiver == receiver]
        if self.state == "resolved" and any(one.state == "due" for one in mine):
            return None
        return next((one for one in reversed(mine) if one.state == "sent"), None)

    def told(self) -> tuple[str, ...]:
        """Return who was to be told of this episode's trouble, but not who refused to hear of it."""
        return tuple(
            dict.fromkeys(
                one.receiver
                for one in self.notifications
                if (one.action, one.episode) == ("trigger", self.episode) and one.state != "failed"
            )
        )


def cause_key(upstream: str) -> str:
    """Return the key of an upstream's incident; no model is called so, as it holds a control character."""
    return f"upstream\0{upstream}"


def incident_id(owner: str, model: str, finding_id: str) -> str:
    """Return the id of the incident that this finding opens."""
    return f"{PREFIX}{digest(owner, model, finding_id)}"


def notification_id(incident: str, action: Action, receiver: str, episode: int = 1, repeat: int = 0) -> str:
    """Return the idempotency key of one notification; without a dot, as Standard Webhooks wants."""
    again = [str(episode)] if episode > 1 or repeat else []
    again += [str(repeat)] if repeat else []
    return f"ntf_{digest(incident, action, receiver, *again)}"


def with_due(incident: Incident, action: Action, receivers: tuple[str, ...], at: float) -> Incident:
    """Return the incident with one due notification more for each receiver, decided ``at`` epoch seconds."""
    repeat = incident.rounds if action == "trigger" else 0
    made = [
        Notification(
            id=notification_id(incident.id, action, name, incident.episode, repeat),
            receiver=name,
            action=action,
            episode=incident.episode,
            due_at=at,
        )
        for name in receivers
    ]
    surplus = max(0, len(incident.notifications) + len(made) - NOTIFICATIONS_BUDGET)
    gone = frozenset(_past(incident)[:surplus])
    kept = [one for one in incident.notifications if one.id not in gone]
    return replace(incident, notifications=(*kept, *made))


def _past(incident: Incident) -> list[str]:
    """Return what may be forgotten, oldest first: not what something that still waits depends on."""
    waiting = {(one.receiver, one.episode) for one in incident.notifications if one.state == "due"}
    return [
        one.id
        for one in incident.notifications
        if one.episode < incident.episode
        and one.action != "rollback"
        and (one.receiver, one.episode) not in waiting
    ]


def with_notification(incident: Incident, changed: Notification) -> Incident:
    """Return ``incident`` with the notification of the same id replaced."""
    swapped = tuple(changed if old.id == changed.id else old for old in incident.notifications)
    return replace(incident, notifications=swapped)


def sendable(incident: Incident, notification: Notification) -> bool:
    """Whether it may leave now: in order per receiver, and what follows a trigger when that was accepted."""
    if notification.state != "due":
        return False
    for one in incident.notifications:
        if one.id == notification.id:
            break
        if one.receiver == notification.receiver and one.state == "due":
            return False
    if notification.action in ("trigger", "rollback"):
        return True
    return incident.has_heard(notification.receiver, notification.episode)


def digest(*parts: str) -> str:
    """Return 32 hexadecimal digits that stand for these texts."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
