"""Core. The decision about a ticket whose model gets worse: once its objective's budget burns, it pages."""

from __future__ import annotations

from msgspec.structs import replace

from alerts.incident import Incident, Part
from alerts.ledger import Ledger
from alerts.owners import Owners
from alerts.part import is_of_shadow, lead_of
from alerts.reason import Decision, Reason, merged
from alerts.triage import Place, arrive, inhibitor, join, places, reopen, weighed
from stream.events import Errors, Finding


def worsen(incidents: Ledger, errors: Errors, owners: Owners, now: float) -> Decision:
    """Decide about what a model's newest errors make of its incident, ``now`` their Kafka timestamp.

    An incident that somebody resolved while the harm went on is reopened.
    """
    main, *others = places(errors.model, owners)
    objective = owners.objective_of(errors.model)
    verdict = None if objective is None else objective.judge(errors.windows)
    if verdict is None:
        return Decision((), (Reason.NO_OBJECTIVE,))
    held = _held(incidents, errors.model, main)
    if held is None or not (worst := _going_on(held, errors.model)):
        return Decision((), (Reason.NO_SUCH_INCIDENT,))
    if held.state != "resolved" and held.severity == "page" and not held.is_waiting:
        return Decision((), (verdict.reason, Reason.ALREADY_OPEN))
    if verdict.severity == "ticket":
        is_said = held.state != "resolved" and held.lead.model == errors.model
        changed = (replace(held, objective=verdict.words),) if is_said else ()
        return Decision(changed, (verdict.reason, Reason.TICKET_NOT_PAGED))
    finding = _lead(held, errors, worst[0])
    accused = [arrive(incidents, finding, one, owners, now, None) for one in others]
    known = [one for decision in accused for one in decision.changed]
    quiet = inhibitor(incidents, known, finding, others, owners)
    tell = reopen if held.state == "resolved" else join
    told = tell(held, finding, main, owners, now, quiet)
    return merged([weighed(told, finding, verdict), *accused])


def _held(incidents: Ledger, model: str, place: Place) -> Incident | None:
    """Return the incident in which the model's losses go on: maybe that of an owner whom it belonged to before."""
    latest = incidents.latest_of(place.owner.name, place.key(model))
    if latest is not None and _going_on(latest, model):
        return latest
    before = (one for one in incidents if one.state != "resolved" and not one.cause and _going_on(one, model))
    return next(before, latest)


def _going_on(held: Incident, model: str) -> list[Part]:
    """Return what of this model's losses is still worse, the worst first; a shadow's are none of its errors."""
    return [
        one
        for one in held.parts
        if (one.model, one.child.metric, one.is_shadow) == (model, "accuracy", False)
        and held.findings.get(one.finding) == "open"
    ]


def _lead(held: Incident, errors: Errors, worst: Part) -> Finding:
    """Return the finding that the page speaks of, as it is now: of this model's losses, and still open.

    When that is not the incident's lead, its counts are 0: no more is known of it than its part says.
    """
    lead = held.lead
    is_its_own = (lead.model, lead.metric) == (errors.model, "accuracy") and not is_of_shadow(lead)
    if is_its_own and held.findings.get(lead.id) == "open":
        return replace(lead, severity="page", windows=errors.windows, proven_at=errors.proven_at)
    return replace(lead_of(worst, errors.at), proven_at=errors.proven_at, windows=errors.windows)
