"""Core. The decision: what one finding changes, who must be told, and for which reasons.

A finding counts once for each of its two states, in whatever order and however often it arrives. It belongs to
an incident of its model's owner and, when the model depends on an upstream of another owner, to an incident of
that one too. The first finding of an incident tells; further ones join it and page nobody again; when the last
one has closed and a hold is over, it resolves; a relapse soon after reopens it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from alerts.grouping import FLAPS, Upstream
from alerts.incident import Incident, cause_key, incident_id
from alerts.ledger import Ledger, is_full
from alerts.objective import Verdict
from alerts.owners import Owner, Owners
from alerts.part import child_of, noted, part_of
from alerts.reason import Decision, Reason, merged
from alerts.rollback import accuse
from alerts.telling import resolve, tell
from stream.events import Finding

STORM, STORM_S = 3, 21_600.0
"""Models of one owner that are worse at what may be the same time, and how far apart their onsets lie at most
(seconds), for further ones to be the same trouble."""


class Place(NamedTuple):
    """Where a finding belongs: an owner's incident about the model itself, or about an upstream.

    ``least`` is how many models must be worse for it to page.
    """

    owner: Owner
    upstream: Upstream | None = None
    least: int = 1

    @property
    def cause(self) -> str:
        """The upstream's name, empty without one."""
        return self.upstream.name if self.upstream else ""

    def key(self, model: str) -> str:
        """Return the key of its incident."""
        return cause_key(self.cause) if self.cause else model


def triage(incidents: Ledger, finding: Finding, owners: Owners, now: float) -> Decision:
    """Decide about one finding; ``now`` is its Kafka timestamp in epoch seconds. Changes nothing itself."""
    holders = incidents.holding(finding.id)
    if holders:
        closing = [held for held in holders if held.findings[finding.id] == "open"]
        if finding.state == "open" or not closing:
            return Decision((), (Reason.REPEAT,))
        return merged(_close(held, finding, owners, now) for held in closing)
    main, *others = places(finding.model, owners)
    objective = owners.objective_of(finding.model)
    verdict = None if objective is None else objective.judge(finding.windows)
    if verdict is not None:
        finding = replace(finding, severity=verdict.severity)
    if finding.severity == "ticket":
        others = []  # what harms nobody accuses no upstream
    if finding.state == "closed":
        return _note_unseen(incidents, finding, main, now)
    causes = [arrive(incidents, finding, place, owners, now, None) for place in others]
    known = {one.id: one for decision in causes for one in decision.changed}
    quiet = inhibitor(incidents, known.values(), finding, others, owners)
    arrived = weighed(arrive(incidents, finding, main, owners, now, quiet), finding, verdict)
    return merged([accuse(incidents, arrived, finding, owners, now), *causes])


def weighed(decision: Decision, finding: Finding, verdict: Verdict | None) -> Decision:
    """Return a decision about one incident with what an objective made of it; its words when it leads."""
    if verdict is None:
        return decision
    (incident,) = decision.changed
    if incident.lead.model == finding.model:
        incident = replace(incident, objective=verdict.words)
    return Decision((incident,), (*decision.reasons, verdict.reason))


def places(model: str, owners: Owners) -> list[Place]:
    """Return where a finding of this model belongs, the place that tells at once first."""
    owner, upstream = owners.of(model), owners.upstream_of(model)
    if upstream is None:
        return [Place(owner)]
    answering = owners.named(upstream.owner)
    if model == upstream.name or answering.name == owner.name:
        return [Place(answering, upstream)]
    return [Place(owner), Place(answering, upstream, upstream.least)]


def inhibitor(
    incidents: Ledger,
    known: Iterable[Incident],
    finding: Finding,
    others: list[Place],
    owners: Owners,
) -> Incident | None:
    """Return the upstream's incident that keeps the model's own owner's quiet: its owner was paged already."""
    for place in others:
        held = next((one for one in known if one.cause == place.cause), None)
        cause = held or incidents.open_of(place.owner.name, place.key(finding.model))
        paged = cause is not None and cause.severity == "page" and cause.told()
        if cause is not None and paged and _is_near(cause, finding, owners.grouping.upstream_s):
            return cause
    return None


def _is_near(incident: Incident, finding: Finding, within_s: float) -> bool:
    return abs(incident.lead.onset_at - finding.onset_at) <= within_s


def arrive(
    incidents: Ledger, finding: Finding, place: Place, owners: Owners, now: float, quiet: Incident | None
) -> Decision:
    """Decide about a finding that one place does not hold yet; ``quiet`` is what keeps it so."""
    key = place.key(finding.model)
    latest = incidents.latest_of(place.owner.name, key)
    is_open = latest is not None and latest.state != "resolved"
    if latest is not None and is_open and not is_full(latest):
        return join(latest, finding, place, owners, now, quiet)
    before = _just_over(latest, owners, now)
    near = [] if place.cause else _near(incidents, finding, place, owners)
    related = [one for one in near if _belongs(one, finding, owners)]
    if not related and before is None and not place.cause:
        related = _storm(incidents, finding, place, owners)
    together = next((one for one in related if not is_full(one)), None)
    if together is not None:
        return join(together, finding, place, owners, now, quiet)
    if before is not None:
        return reopen(before, finding, place, owners, now, quiet)
    told, reasons = tell(_new(finding, place, now), owners, now, quiet)
    another = (Reason.ANOTHER_IS_FULL,) if is_open or related else ()
    return Decision((told,), (Reason.OPENED, *another, *reasons))


def _just_over(latest: Incident | None, owners: Owners, now: float) -> Incident | None:
    """Return the incident if it has resolved so lately that what comes now is a relapse."""
    if latest is None or latest.state != "resolved":
        return None
    return latest if now - latest.changed_at <= owners.grouping.reopen_s > 0 else None


def _near(incidents: Ledger, finding: Finding, place: Place, owners: Owners) -> list[Incident]:
    within_s = max(owners.grouping.together_s, owners.grouping.upstream_s)
    found = incidents.open_near(place.owner.name, finding.onset_at, within_s)
    return [one for one in found if not one.cause]


def _belongs(incident: Incident, finding: Finding, owners: Owners) -> bool:
    """Whether two models' troubles are one: they began together, or near each other below one upstream."""
    if owners.grouping.together_s > 0 and _is_near(incident, finding, owners.grouping.together_s):
        return True
    return _is_below_one(incident, finding, owners)


def _storm(incidents: Ledger, finding: Finding, place: Place, owners: Owners) -> list[Incident]:
    """Return the owner's paged incidents that may have begun together with this, once they are of many models.

    Of a model with few labels nobody knows the onset to minutes: when three became worse within intervals that
    overlap it is no chance, and each further one is no page of its own.
    """
    if finding.severity != "page" or owners.grouping.together_s <= 0:
        return []
    near = incidents.open_near(place.owner.name, finding.onset_at, STORM_S)
    found = [one for one in near if _may_grow(one) and _overlap(one.lead, finding)]
    return found if len({model for one in found for model in one.children}) >= STORM else []


def _may_grow(incident: Incident) -> bool:
    """Whether an incident pages and goes on, and nobody asked for its quiet: that was of what it is by now."""
    is_page = incident.severity == "page" and not incident.cause
    return is_page and incident.recovered_at is None and not incident.is_hushed


def _overlap(one: Finding, other: Finding) -> bool:
    """Return whether the intervals of two onsets have an instant in common."""
    (first, last), (begins, ends) = (_interval(found) for found in (one, other))
    return begins <= last and first <= ends


def _interval(finding: Finding) -> tuple[float, float]:
    at, after, before = finding.onset_at, finding.onset_after, finding.onset_before
    return at if after is None else after, at if before is None else before


def _is_below_one(incident: Incident, finding: Finding, owners: Owners) -> bool:
    upstream = owners.upstream_of(finding.model)
    shared = upstream is not None and upstream == owners.upstream_of(incident.model)
    return shared and _is_near(incident, finding, owners.grouping.upstream_s)


def _new(finding: Finding, place: Place, now: float) -> Incident:
    return Incident(
        id=incident_id(place.owner.name, place.key(finding.model), finding.id),
        owner=place.owner.name,
        model=finding.model,
        state="open",
        severity="ticket" if place.least > 1 else finding.severity,
        lead=finding,
        findings={finding.id: finding.state},
        children={finding.model: child_of(finding)},
        parts=(part_of(finding),),
        cause=place.cause,
        tickets=(finding.id,) if finding.severity == "ticket" else (),
        opened_at=now,
        changed_at=now,
    )


def join(
    current: Incident, finding: Finding, place: Place, owners: Owners, now: float, quiet: Incident | None
) -> Decision:
    """Add a finding to an unresolved incident; it pages if that is the first one that does.

    Whoever has acknowledged a ticket has not acknowledged the page that it becomes.
    """
    joined = replace(noted(current, finding), changed_at=now, recovered_at=None)
    if finding.severity == "ticket" or len(joined.children) < place.least:
        return Decision((joined,), (Reason.CHILD_ADDED, Reason.ALREADY_OPEN))
    if current.severity == "page":
        return _speak_up(joined, finding, owners, now, quiet)
    paging = replace(
        joined, severity="page", lead=finding, state="open", acknowledged_at=None, acknowledged_by=""
    )
    escalated, told = tell(paging, owners, now, quiet)
    return Decision((escalated,), (Reason.CHILD_ADDED, Reason.ESCALATED, *told))


def _speak_up(
    joined: Incident, finding: Finding, owners: Owners, now: float, quiet: Incident | None
) -> Decision:
    """Tell of what joined a quiet incident when what keeps that quiet is not about it, or ends sooner for it."""
    is_explained = joined.is_inhibited and _is_below_one(joined, finding, owners)
    if joined.is_waiting and joined.muted_until is not None and not is_explained:
        heard, told = tell(replace(joined, lead=finding), owners, now, quiet)
        if heard.muted_until is None or heard.muted_until < joined.muted_until:
            return Decision((heard,), (Reason.CHILD_ADDED, Reason.RELEASED, *told))
    return Decision((joined,), (Reason.CHILD_ADDED, Reason.ALREADY_OPEN))


def reopen(
    latest: Incident, finding: Finding, place: Place, owners: Owners, now: float, quiet: Incident | None
) -> Decision:
    """Begin another episode of a resolved incident."""
    episode = latest.episode + 1
    again = replace(
        noted(latest, finding),
        state="open",
        episode=episode,
        severity=_new(finding, place, now).severity,
        lead=finding,
        changed_at=now,
        recovered_at=None,
        resolved_at=None,
        resolved_by="",
        acknowledged_at=None,
        acknowledged_by="",
        muted_by="",
        muted_until=None,
        told_at=None,
        steps=0,
        rounds=0,
        rounds_before=0,
        unheard=0,
        objective="",
        children={finding.model: child_of(finding)},
        parts=(part_of(finding),),
    )
    told, reasons = tell(again, owners, now, quiet)
    flapping = (Reason.FLAPPING,) if episode >= FLAPS else ()
    return Decision((told,), (Reason.REOPENED, *flapping, *reasons))


def _close(holder: Incident, finding: Finding, owners: Owners, now: float) -> Decision:
    closed = replace(noted(holder, finding), changed_at=now)
    if closed.open_findings:
        return Decision((closed,), (Reason.STILL_OPEN_CHILDREN,))
    if holder.state == "resolved":
        return Decision((closed,), (Reason.RESOLVED_BEFORE,))
    ended_at = finding.closed_at if finding.closed_at is not None else now
    if owners.grouping.hold(holder.episode) > 0:
        return Decision((replace(closed, recovered_at=now, resolved_at=ended_at),), (Reason.HOLDING,))
    return Decision((resolve(closed, ended_at, now),), (Reason.RESOLVED,))


def _note_unseen(incidents: Ledger, finding: Finding, place: Place, now: float) -> Decision:
    """The end came before the beginning: remember it, so that the late beginning pages nobody."""
    current = incidents.open_of(place.owner.name, place.key(finding.model))
    if current is not None:
        known = replace(noted(current, finding), changed_at=now)
    else:
        ended_at = finding.closed_at if finding.closed_at is not None else now
        known = resolve(_new(finding, place, now), ended_at, now)
    return Decision((known,), (Reason.CLOSED_UNSEEN,))
