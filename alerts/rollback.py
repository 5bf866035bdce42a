"""Core. Rollbacks: a finding that blames a fresh version has its owner's hook asked to take that version back.

A version is asked for once at most, whichever incidents blame it. The request is a notification like any other:
it leaves when it is durable, a repeat has the same id, and how it ended stands on the incident.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from alerts.incident import Incident, Notification, Rollback, digest, with_notification
from alerts.ledger import Ledger
from alerts.owners import Owners, RollbackHook
from alerts.reason import Decision, Reason
from stream.events import ALL, Finding, RolledOut

AUTOMATIC = "the pager"
"""Who asked, when nobody did."""
DRY_RUN = "dry run: nothing was sent"
RESOLVED = "resolved_before_it_left"
SERVING = ("canary", "live")
SUSPECTS_BUDGET = 20
"""How many fresh versions one incident names."""


def blamed(finding: Finding, fresh_s: float) -> RolledOut | None:
    """Return the rollout that put the finding's own version to work at most ``fresh_s`` before the onset."""
    for one in finding.rollouts:
        age_s = finding.onset_at - one.at
        if one.version == finding.version and one.stage in SERVING and 0.0 <= age_s <= fresh_s:
            return one
    return None


def accuse(incidents: Ledger, decision: Decision, finding: Finding, owners: Owners, now: float) -> Decision:
    """Name the fresh version that an open finding blames; ask for its rollback if that is automatic.

    Nothing is asked for automatically below an upstream's trouble, under a silence, for a ticket, when somebody
    has the incident already, or while it holds the same harm of a version that is not to blame.
    """
    (incident,) = decision.changed
    hook = owners.named(incident.owner).rollback
    rollout = None if hook is None else blamed(finding, hook.fresh_s)
    is_known = incident.rollback_of(finding.model, finding.version) is not None
    if hook is None or rollout is None or is_known or len(incident.rollbacks) >= SUSPECTS_BUDGET:
        return decision
    suspect = Rollback(model=finding.model, version=finding.version, rolled_out_at=rollout.at)
    named = replace(incident, rollbacks=(*incident.rollbacks, suspect))
    is_doubtful = _is_of_another(incident, finding) or not _is_urgent(incident, finding, owners, now)
    if not hook.automatic or is_doubtful:
        return Decision((named,), (*decision.reasons, Reason.ROLLBACK_OFFERED))
    asked, reason = ask(incidents, named, suspect, hook, AUTOMATIC, now)
    return Decision((asked,), (*decision.reasons, reason))


def _is_of_another(incident: Incident, finding: Finding) -> bool:
    """Return whether a version that is not blamed pages for the slice too, or for all: no rollback mends that."""
    return any(
        one.model == finding.model
        and one.child.version != finding.version
        and one.child.slice in (finding.slice, ALL)
        and incident.findings.get(one.finding) == "open"
        and one.finding not in incident.tickets
        and incident.rollback_of(one.model, one.child.version) is None
        for one in incident.parts
    )


def _is_urgent(incident: Incident, finding: Finding, owners: Owners, now: float) -> bool:
    is_paged = (incident.state, incident.severity) == ("open", "page")
    is_of_others = incident.is_inhibited or incident.cause not in ("", finding.model)
    is_silenced = incident.is_hushed or any(
        silence.until(finding, now, incident.owner) is not None for silence in owners.silences
    )
    return is_paged and not is_of_others and not is_silenced


def ask(
    incidents: Ledger, incident: Incident, suspect: Rollback, hook: RollbackHook, by: str, now: float
) -> tuple[Incident, Reason]:
    """Return the incident with the request due, or with why there is none, ``now`` epoch seconds."""
    asked = replace(suspect, asked_by=by, asked_at=now)
    holder = incidents.asked_of(suspect.model, suspect.version)
    if holder is not None:
        before = replace(asked, held_back=f"asked for before, by {holder}")
        return _with(incident, before, now), Reason.ROLLBACK_ASKED_BEFORE
    if hook.dry_run:
        return _with(incident, replace(asked, held_back=DRY_RUN), now), Reason.ROLLBACK_DRY_RUN
    request = Notification(
        id=f"rbk_{digest(incident.owner, suspect.model, suspect.version)}",
        receiver=hook.name,
        action="rollback",
        episode=incident.episode,
        due_at=now,
        expires_at=now + hook.give_up_s,
    )
    due = replace(incident, notifications=(*incident.notifications, request))
    return _with(due, replace(asked, notification=request.id), now), Reason.ROLLBACK_ASKED


def ask_again(
    incidents: Ledger, incident: Incident, model: str, version: str, owners: Owners, by: str, now: float
) -> Decision:
    """Decide about somebody's wish: to take back a version that the incident blames, not asked for yet.

    After a dry run it may be asked for in earnest. What has resolved is left alone: another version may serve.
    """
    if incident.state == "resolved":
        return Decision((), (Reason.RESOLVED_BEFORE,))
    suspect, hook = incident.rollback_of(model, version), owners.named(incident.owner).rollback
    if suspect is None or hook is None:
        return Decision((), (Reason.NO_SUCH_ROLLBACK,))
    if suspect.asked_at is not None and (suspect.held_back != DRY_RUN or hook.dry_run):
        return Decision((), (Reason.REPEAT,))
    asked, reason = ask(incidents, incident, replace(suspect, held_back=""), hook, by, now)
    return Decision((asked,), (reason,))


def withdrawn(incident: Incident) -> Incident:
    """Return the incident without requests that have not left yet: what is over needs no rollback."""
    for one in incident.notifications:
        if (one.action, one.state) == ("rollback", "due"):
            incident = with_notification(incident, replace(one, state="failed", last_error=RESOLVED))
    return incident


def results(incident: Incident) -> list[dict[str, Any]]:
    """Return the fresh versions that the incident blames; ``result``: ``None`` while nobody has asked."""
    return [
        {
            "model": one.model,
            "version": one.version,
            "rolled_out_at": one.rolled_out_at,
            "asked_by": one.asked_by or None,
            "asked_at": one.asked_at,
            "result": result(incident, one),
        }
        for one in incident.rollbacks
    ]


def result(incident: Incident, rollback: Rollback) -> str | None:
    """Return what became of one rollback in words, ``None`` while nobody has asked for it."""
    if rollback.held_back or not rollback.notification:
        return rollback.held_back or None
    request = incident.notification(rollback.notification)
    if request.state == "sent":
        return "accepted by the hook"
    if request.state == "failed":
        return f"failed: {request.last_error}"
    return f"under way{f', last {request.last_error}' if request.last_error else ''}"


def _with(incident: Incident, changed: Rollback, now: float) -> Incident:
    place = (changed.model, changed.version)
    swapped = tuple(changed if (one.model, one.version) == place else one for one in incident.rollbacks)
    return replace(incident, rollbacks=swapped, changed_at=now)
