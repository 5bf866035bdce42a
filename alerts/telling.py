"""Core. Who is told of an incident, at which instant, and what the passing of time changes.

Every instant is computed from the incident's own ones, so a tick that comes late, or again after a crash, decides
the same with the same ids.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from alerts.ending import accepted
from alerts.incident import Incident, Notification, with_due
from alerts.owners import Owner, Owners
from alerts.part import speaking
from alerts.reason import Decision, Reason
from alerts.rollback import withdrawn

LOOK_S = 60.0
"""So often it is looked again at most whether somebody can be reminded."""


class Mute(NamedTuple):
    """What keeps an incident quiet, until when (epoch seconds), and why."""

    by: str
    until: float
    reason: Reason


def tell(
    incident: Incident, owners: Owners, at: float, cause: Incident | None = None
) -> tuple[Incident, tuple[Reason, ...]]:
    """Make the triggers due ``at``, unless it is a ticket, is kept quiet (as by ``cause``) or has no ears."""
    if incident.severity == "ticket":
        return incident, (Reason.TICKET_NOT_PAGED,)
    owner = _owner(incident, owners)
    mute = _mute(incident, owner, owners, at, cause)
    if mute is not None:
        return replace(incident, muted_by=mute.by, muted_until=mute.until), (mute.reason,)
    heard = replace(incident, muted_by="", muted_until=None, told_at=at)
    receivers = owners.on_duty(owner.receivers, at)
    if not receivers:
        return heard, (Reason.NO_RECEIVERS,)
    return with_due(heard, "trigger", receivers, at), ()


def ripe_at(incident: Incident, owners: Owners) -> float | None:
    """Return when the passing of time changes this incident next, epoch seconds, or ``None``."""
    if incident.state == "resolved":
        return None
    if incident.recovered_at is not None:
        return incident.recovered_at + owners.grouping.hold(incident.episode)
    if incident.muted_until is not None:
        return incident.muted_until
    owner = _owner(incident, owners)
    instants = (_unheard_at(incident, owner, owners), _step_at(incident, owner), _repeat_at(incident, owner))
    return min((at for at in instants if at is not None), default=None)


def ripen(incident: Incident, owners: Owners, now: float) -> Decision:
    """Decide what the mere passing of time changes of an incident; what it changes bears the nominal instant."""
    at = ripe_at(incident, owners)
    if at is None or now < at:
        return Decision((), ())
    if incident.recovered_at is not None:
        return Decision((resolve(incident, incident.resolved_at, at),), (Reason.RESOLVED,))
    if incident.muted_until is not None:
        freed = speaking(replace(incident, muted_by="", muted_until=None, changed_at=at))
        return _release(freed, owners, at)
    owner = _owner(incident, owners)
    if (mute := _mute(incident, owner, owners, at, None)) is not None:
        return Decision((replace(incident, muted_by=mute.by, muted_until=mute.until),), (mute.reason,))
    if at == _unheard_at(incident, owner, owners):
        told = with_due(incident, "trigger", _fresh(incident, owner.receivers, owners, at), at)
        return Decision((told,), (Reason.RECEIVERS_GONE,))
    if at == _step_at(incident, owner):
        return _take_step(incident, owner, owners, at)
    return _repeat(incident, owner, owners, at, now)


def heard(incident: Incident, one: Notification, owners: Owners, at: float) -> Incident:
    """Return the incident whose notification its receiver took ``at`` this instant.

    The turn may have passed while the pager, or the receiver, was down: whose turn it is by now hears a page too.
    """
    known, owner = accepted(incident, one, at), _owner(incident, owners)
    is_current = incident.state == "open" and (one.action, one.episode) == ("trigger", incident.episode)
    if not is_current or incident.muted_until is not None or _mute(incident, owner, owners, at, None):
        return known
    passed = [
        name
        for name in _called(incident, owner)
        if one.receiver in owners.on_duty((name,), one.due_at)
        and one.receiver not in owners.on_duty((name,), at)
    ]
    return with_due(known, "trigger", _fresh(known, tuple(passed), owners, at), at)


def _repeat(incident: Incident, owner: Owner, owners: Owners, at: float, now: float) -> Decision:
    """Tell again; while all still wait for what was said before, no repeat is used up."""
    hearing = _hearing(incident, owner, owners, at)
    if not hearing:
        unheard = incident.unheard + max(1, int(max(now - at, LOOK_S) // owner.repeat_s))
        return Decision((replace(incident, unheard=unheard),), (Reason.REPEAT_LEFT_OUT,))
    repeated = replace(incident, rounds=incident.rounds + 1)
    return Decision((with_due(repeated, "trigger", hearing, at),), (Reason.REPEATED,))


def _release(incident: Incident, owners: Owners, at: float) -> Decision:
    """What kept it quiet is over: it is told, or told again to whoever had heard, unless somebody has it."""
    if incident.state == "acknowledged":
        return Decision((incident,), (Reason.RELEASED,))
    if incident.told_at is None:
        told, reasons = tell(incident, owners, at)
        return Decision((told,), (Reason.RELEASED, *reasons))
    owner = _owner(incident, owners)
    mute = _mute(incident, owner, owners, at, None)
    if mute is not None:
        quiet = replace(incident, muted_by=mute.by, muted_until=mute.until)
        return Decision((quiet,), (Reason.RELEASED, mute.reason))
    rounds = incident.rounds + 1
    again = replace(incident, told_at=at, rounds=rounds, rounds_before=rounds, unheard=0)
    told = with_due(again, "trigger", _hearing(incident, owner, owners, at), at)
    return Decision((told,), (Reason.RELEASED, Reason.REPEATED))


def resolve(incident: Incident, ended_at: float | None, at: float) -> Incident:
    """Return the incident resolved; whoever was to be told of the trouble is told of its end."""
    ended = replace(
        incident,
        state="resolved",
        resolved_at=ended_at,
        recovered_at=None,
        changed_at=at,
        muted_by="",
        muted_until=None,
    )
    return with_due(withdrawn(ended), "resolve", incident.told(), at)


def _owner(incident: Incident, owners: Owners) -> Owner:
    return owners.answering(incident.owner, incident.model)


def _mute(incident: Incident, owner: Owner, owners: Owners, at: float, cause: Incident | None) -> Mute | None:
    if cause is not None and (until := incident.changed_at + owners.grouping.inhibit_s) > at:
        return Mute(cause.id, until, Reason.INHIBITED)
    if incident.is_hushed and incident.muted_until is not None and incident.muted_until > at:
        return Mute(incident.muted_by, incident.muted_until, Reason.SILENCED)
    for silence in owners.silences:
        if (ends_at := silence.until(incident.lead, at, incident.owner)) is not None:
            return Mute(silence.said, ends_at, Reason.SILENCED)
    quiet = [ends_at for hours in owner.quiet if (ends_at := hours.until(at)) is not None]
    return Mute("quiet hours", max(quiet), Reason.QUIET_HOURS) if quiet else None


def _take_step(incident: Incident, owner: Owner, owners: Owners, at: float) -> Decision:
    fresh = _fresh(incident, owner.escalation[incident.steps].receivers, owners, at)
    return Decision(
        (with_due(replace(incident, steps=incident.steps + 1), "trigger", fresh, at),), (Reason.STEPPED,)
    )


def _fresh(incident: Incident, receivers: tuple[str, ...], owners: Owners, at: float) -> tuple[str, ...]:
    """Return those of the receivers, turns looked up ``at``, that this episode has nothing for yet."""
    known = {one.receiver for one in incident.notifications if one.episode == incident.episode}
    return tuple(name for name in owners.on_duty(receivers, at) if name not in known)


def _hearing(incident: Incident, owner: Owner, owners: Owners, at: float) -> tuple[str, ...]:
    """Return who is told again: who was told, unless a trigger still waits for them, and whose turn it is now."""
    passed_over = {
        one.receiver for one in incident.notifications if (one.action, one.state) == ("trigger", "due")
    }
    if owners.known:
        passed_over |= {*incident.told()} - owners.known  # gone from the file
    fresh = _fresh(incident, _called(incident, owner), owners, at)
    return (*(name for name in incident.told() if name not in passed_over), *fresh)


def _called(incident: Incident, owner: Owner) -> tuple[str, ...]:
    """Return the owner's receivers and those of the steps that were taken, rotas by their names."""
    steps = (name for step in owner.escalation[: incident.steps] for name in step.receivers)
    return (*owner.receivers, *steps)


def _unheard_at(incident: Incident, owner: Owner, owners: Owners) -> float | None:
    """Return since when a page waits for none but receivers that are gone from the file, if there are others."""
    if incident.state != "open" or incident.told_at is None or not owners.known:
        return None
    mine = [
        one for one in incident.notifications if (one.action, one.episode) == ("trigger", incident.episode)
    ]
    if any(one.state == "sent" or one.receiver in owners.known for one in mine):
        return None
    return incident.told_at if _fresh(incident, owner.receivers, owners, incident.told_at) else None


def _step_at(incident: Incident, owner: Owner) -> float | None:
    if incident.state != "open" or incident.told_at is None or incident.steps >= len(owner.escalation):
        return None
    return incident.told_at + owner.escalation[incident.steps].after_s


def _repeat_at(incident: Incident, owner: Owner) -> float | None:
    if incident.state != "open" or incident.told_at is None:
        return None
    rounds = incident.rounds - incident.rounds_before
    if not owner.repeat_s or rounds >= owner.repeats:
        return None
    return incident.told_at + (rounds + incident.unheard + 1) * owner.repeat_s
