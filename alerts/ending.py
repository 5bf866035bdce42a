"""Core. How an attempt ended, as the incident remembers it.

Each takes the incident as it is by now: findings may have joined since the request left.
"""

from __future__ import annotations

from msgspec.structs import replace

from alerts.incident import Incident, Notification, with_due, with_notification

TRIGGER_REFUSED = "trigger_refused"


def accepted(incident: Incident, one: Notification, at: float) -> Incident:
    """Return the incident whose notification its receiver has, ``at`` epoch seconds."""
    sent = replace(one, state="sent", accepted_at=at, last_error="", attempts=one.attempts + 1)
    return with_notification(incident, sent)


def put_off(incident: Incident, one: Notification, reason: str) -> Incident:
    """Return the incident whose notification will be tried again."""
    return with_notification(incident, replace(one, attempts=one.attempts + 1, last_error=reason))


def refused(incident: Incident, one: Notification, reason: str, fallback: str | None) -> Incident:
    """Return the incident whose notification its receiver will never take; its fallback is to hear it instead.

    What was to follow a refused trigger in its episode ends with it, as a fallback that takes over hears it too;
    not when only a repeat was refused: whoever has the trigger hears of the end.
    """
    failed = replace(one, state="failed", last_error=reason, attempts=one.attempts + 1)
    incident = with_notification(incident, failed)
    if one.action == "trigger" and not incident.has_heard(one.receiver, one.episode):
        for later in incident.notifications:
            if (later.receiver, later.episode, later.state) == (one.receiver, one.episode, "due"):
                ended = replace(later, state="failed", last_error=TRIGGER_REFUSED)
                incident = with_notification(incident, ended)
    return incident if fallback is None else rerouted(incident, one, fallback)


def rerouted(incident: Incident, refused: Notification, fallback: str) -> Incident:
    """Return the incident with a refused trigger due at another receiver, unless that one is told already.

    The end of an incident that has resolved meanwhile follows the trigger there. A trigger that was refused
    after its episode was over is not told anew.
    """
    current = refused.action == "trigger" and refused.episode == incident.episode
    if not current or incident.trigger_of(fallback, incident.episode) is not None:
        return incident
    told = with_due(incident, "trigger", (fallback,), refused.due_at)
    return with_due(told, "resolve", (fallback,), refused.due_at) if incident.state == "resolved" else told
