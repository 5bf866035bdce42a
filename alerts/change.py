"""Core. Changes: rollouts that an owner's receivers are told of, so that a page finds them beside it.

A change is due until it was sent, and then forgotten; nobody is woken by it, so it has a lane of its own, and what
is a day old is not sent any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from msgspec import Struct

from alerts.incident import Notification, digest
from alerts.owners import Owners
from alerts.reason import Reason
from stream.events import Rollout, Stage

PREFIX = "chg_"
CHANGES_BUDGET = 1_000
"""How many may wait; past it new ones are not taken, and counted."""
EXPIRES_S = 86_400.0


class Change(Struct, frozen=True, kw_only=True):
    """One rollout for one receiver; ``at`` is event time in epoch seconds."""

    schema: Literal[1] = 1
    owner: str
    model: str
    version: str
    stage: Stage
    at: float
    traffic_share: float | None = None
    notification: Notification

    @property
    def id(self) -> str:
        """The notification's id, computed from content."""
        return self.notification.id


class DueChange(NamedTuple):
    """A change that may leave now."""

    change: Change

    @property
    def notification(self) -> Notification:
        """What is to be sent."""
        return self.change.notification

    @property
    def subject(self) -> Change:
        """What it is about."""
        return self.change

    @property
    def facts(self) -> dict[str, object]:
        """What a log line says of it."""
        return {"owner": self.change.owner, "model": self.change.model, "version": self.change.version}

    @property
    def proven_at(self) -> None:
        """No harm was proved."""
        return


def lane_of(receiver: str) -> str:
    """Return the name of a receiver's lane for changes; no receiver is called so."""
    return f"{receiver}/changes"


def announced(rollout: Rollout, owners: Owners, now: float) -> list[Change]:
    """Return what those of the owner's receivers that ask are told of a rollout, ``now`` epoch seconds."""
    owner = owners.of(rollout.model)
    told = [*owner.receivers, *(name for step in owner.escalation for name in step.receivers)]
    asking = [name for name in owners.on_duty(tuple(told), now) if name in owners.hear_changes]
    place = (rollout.model, rollout.version, rollout.stage, repr(float(rollout.at)))
    return [
        Change(
            owner=owner.name,
            model=rollout.model,
            version=rollout.version,
            stage=rollout.stage,
            at=float(rollout.at),
            traffic_share=rollout.traffic_share,
            notification=Notification(
                id=f"{PREFIX}{digest(*place, name)}",
                receiver=lane_of(name),
                action="change",
                due_at=now,
                expires_at=float(rollout.at) + EXPIRES_S,
            ),
        )
        for name in asking
    ]


class Changes:
    """Those that wait, oldest first; owned and changed by exactly one book."""

    def __init__(self) -> None:
        self._held: dict[str, Change] = {}
        self._flushed: set[str] = set()
        self._durable: set[str] = set()

    def __iter__(self) -> Iterator[Change]:
        return iter(self._held.values())

    def get(self, name: str) -> Change | None:
        """Return the change, or ``None`` when it was sent."""
        return self._held.get(name)

    def put(self, change: Change) -> None:
        """Add the change, or replace the one with its id."""
        self._held[change.id] = change

    def take(self, change: Change) -> Reason:
        """Add a new change; say what became of it."""
        if change.id in self._held:
            return Reason.REPEAT
        if len(self._held) >= CHANGES_BUDGET:
            return Reason.CHANGE_LEFT_OUT
        self.put(change)
        return Reason.CHANGE_ANNOUNCED

    def settle(self, name: str) -> None:
        """Forget one that was sent, or refused for good."""
        self._held.pop(name, None)
        self._durable.discard(name)

    def flush(self, name: str) -> None:
        """Learn that the checkpoint under way holds a change."""
        self._flushed.add(name)

    def commit(self) -> None:
        """Learn that all that was flushed is durable: it may leave."""
        self._durable |= self._flushed & self._held.keys()
        self._flushed.clear()

    def due(self, receiver: str) -> Iterator[DueChange]:
        """Yield what may leave in this lane, oldest first."""
        for change in [*self._held.values()]:
            if change.notification.receiver == receiver and change.id in self._durable:
                yield DueChange(change)
