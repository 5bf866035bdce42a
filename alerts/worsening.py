"""Core. The decision about a ticket whose model gets worse: once its objective's budget burns, it pages."""

from __future__ import annotations

from msgspec.structs import replace

from alerts.incident import Incident, Part
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
    if held is None or not (worst := _going_on(held, errors.model)):
        return Decision((), (Reason.NO_SUCH_INCIDENT,))
    if held.state != "resolved" and held.severity == "page":
        return Decision((), (verdict.reason, Reason.ALREADY_OPEN))
    said = replace(held, objective=verdict.words)
    if verdict.severity == "ticket":
        changed = () if held.state == "resolved" else (said,)
        return Decision(changed, (verdict.reason, Reason.TICKET_NOT_PAGED))
    finding = _lead(held, errors, worst[0])
    accused = [arrive(incidents, finding, one, owners, now, None) for one in others]
    known = [one for decision in accused for one in decision.changed]
    quiet = inhibitor(incidents, known, finding, others, owners)
    tell = reopen if held.state == "resolved" else join
    told = tell(said, finding, main, owners, now, quiet)
    return merged([Decision(told.changed, (verdict.reason, *told.reasons)), *accused])


def _going_on(held: Incident, model: str) -> list[Part]:
    """Return what of this model's losses is still worse, the worst first."""
    return [
        one
        for one in held.parts
        if one.model == model and one.child.metric == "accuracy" and held.findings.get(one.finding) == "open"
    ]


def _lead(held: Incident, errors: Errors, worst: Part) -> Finding:
    """Return the finding that the page speaks of, as it is now: of this model's losses, and still open.

    When that is not the incident's lead, its counts are 0: no more is known of it than its part says.
    """
    lead = held.lead
    if (lead.model, lead.metric, held.findings.get(lead.id)) == (errors.model, "accuracy", "open"):
        return replace(lead, severity="page", windows=errors.windows, proven_at=errors.proven_at)
    return Finding(
        id=worst.finding,
        state="open",
        severity="page",
        model=worst.model,
        version=worst.child.version,
        slice=worst.child.slice,
        metric="accuracy",
        direction="worse",
        before=worst.child.before,
        after=worst.child.after,
        before_count=0,
        after_count=0,
        onset_at=worst.onset_at,
        detected_at=errors.at,
        events_since_onset=0,
        episode=1,
        proven_at=errors.proven_at,
        windows=errors.windows,
    )
