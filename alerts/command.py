"""Core. What people ask of an incident. Commands travel on the findings topic, in one order with the findings.

So any pager can take one over HTTP and write it, the one that owns the book folds it exactly once, and of two
acknowledgements the first in the log wins.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from alerts.incident import HUSHED, Comment, Incident, with_due
from alerts.ledger import Ledger
from alerts.owners import Owners
from alerts.reason import Decision, Reason
from alerts.rollback import ask_again
from alerts.telling import resolve

COMMENTS_BUDGET = 200
"""How many comments an incident keeps, the newest."""
Kind = Literal["acknowledge", "resolve", "comment", "rollback", "silence"]


class Command(Struct, frozen=True, kw_only=True, tag_field="type", tag="command"):
    """One wish. ``by`` says who; ``text`` is the comment's or the silence's reason.

    ``model`` and ``version`` are to be rolled back; it is to be silent ``until`` then, epoch seconds.
    """

    kind: Kind
    incident: str
    by: str
    text: str = ""
    model: str = ""
    version: str = ""
    until: float = 0.0


def obey(incidents: Ledger, command: Command, owners: Owners, now: float) -> Decision:
    """Decide about one command, ``now`` its Kafka timestamp; a repeat changes nothing."""
    incident = incidents.get(command.incident)
    if incident is None:
        return Decision((), (Reason.NO_SUCH_INCIDENT,))
    if command.kind == "rollback":
        return ask_again(incidents, incident, command.model, command.version, owners, command.by, now)
    if command.kind == "silence" and incident.state != "resolved" and command.until > now:
        return _hush(incident, command)
    if command.kind == "comment":
        said = Comment(by=command.by, text=command.text, at=now)
        if said in incident.comments:
            return Decision((), (Reason.REPEAT,))
        comments = (*incident.comments, said)[-COMMENTS_BUDGET:]
        return Decision((replace(incident, comments=comments),), (Reason.COMMENTED,))
    if command.kind == "resolve" and incident.state != "resolved":
        ended = replace(resolve(incident, now, now), resolved_by=command.by)
        return Decision((ended,), (Reason.RESOLVED_BY_HAND,))
    if command.kind == "acknowledge" and incident.state == "open":
        return Decision((_acknowledge(incident, command.by, now),), (Reason.ACKNOWLEDGED,))
    return Decision((), (Reason.REPEAT,))


def _hush(incident: Incident, command: Command) -> Decision:
    by = f"{HUSHED}{command.by}: {command.text}"
    if (incident.muted_by, incident.muted_until) == (by, command.until):
        return Decision((), (Reason.REPEAT,))
    return Decision((replace(incident, muted_by=by, muted_until=command.until),), (Reason.SILENCED,))


def _acknowledge(incident: Incident, by: str, now: float) -> Incident:
    """Whoever was told learns who has it; what was muted needs no telling any more."""
    had = replace(
        incident,
        state="acknowledged",
        acknowledged_by=by,
        acknowledged_at=now,
        changed_at=now,
        muted_by="",
        muted_until=None,
    )
    return with_due(had, "acknowledge", incident.told(), now)
