"""Core. The decision about a ticket whose model gets worse: once its objective's budget burns, it pages."""

from __future__ import annotations

from msgspec.structs import replace

from alerts.incident import Incident
from alerts.ledger import Ledger
from alerts.owners import Owners
from alerts.reason import Decision, Reason, merged
from alerts.triage import arrive, inhibitor, join, places, reopen
from stream.events import Errors, Finding


def worsen(incidents: Ledger, errors: Errors, owners: Owners, now: float) -> Decision:
    """Decide about what a model's newest errors make of its incident, ``now`` their Kafka timestamp.

    An incident that somebody resolved while the harm went on is reopened.
    """
    main, *others = places(errors.model, owners)
    held = incidents.latest_of(main.owner.name, main.key(errors.model))
    objective = owners.objective_of(errors.model)
    verdict = None if objective is None else objective.judge(errors.windows)
    if verdict is None:
        return Decision((), (Reason.NO_OBJECTIVE,))
    if held is None or not _goes_on(held, errors.model):
        return Decision((), (Reason.NO_SUCH_INCIDENT,))
    if held.state != "resolved" and held.severity == "page":
        return Decision((), (verdict.reason, Reason.ALREADY_OPEN))
    said = replace(held, objective=verdict.words)
    if verdict.severity == "ticket":
        changed = () if held.state == "resolved" else (said,)
        return Decision(changed, (verdict.reason, Reason.TICKET_NOT_PAGED))
    finding = _lead(held, errors)
    if not _is_own(held, errors):
        others = []  # the page speaks of another model
    accused = [arrive(incidents, finding, one, owners, now, None) for one in others]
    known = [one for decision in accused for one in decision.changed]
    quiet = inhibitor(incidents, known, finding, others, owners)
    tell = reopen if held.state == "resolved" else join
    told = tell(said, finding, main, owners, now, quiet)
    return merged([Decision(told.changed, (verdict.reason, *told.reasons)), *accused])


def _goes_on(held: Incident, model: str) -> bool:
    """Whether a finding of this model's losses is still open."""
    return any(
        one.model == model and one.child.metric == "accuracy" and held.findings.get(one.finding) == "open"
        for one in held.parts
    )


def _is_own(held: Incident, errors: Errors) -> bool:
    return held.lead.model == errors.model


def _lead(held: Incident, errors: Errors) -> Finding:
    """Return the finding that the page speaks of, as it is now."""
    lead = replace(held.lead, severity="page")
    return (
        replace(lead, windows=errors.windows, proven_at=errors.proven_at) if _is_own(held, errors) else lead
    )
