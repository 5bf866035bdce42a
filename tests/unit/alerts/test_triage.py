"""What a finding changes, and why."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from alerts.grouping import Upstream
from alerts.incident import Incident, incident_id, sendable, with_notification
from alerts.intake import undelivered
from alerts.ledger import FINDINGS_MOST, Ledger, is_full
from alerts.outbox import Due
from alerts.owners import Owner, Owners
from alerts.part import FINDINGS_BUDGET
from alerts.reason import Decision, Reason
from alerts.triage import triage
from stream.dead_letter import LETTER_BYTES
from stream.events import Finding
from stream.shapes import COMPACTED_RECORD_BYTES
from tests.unit.alerts.samples import MAPS, OWNERS, finding

OPEN_A = finding("a")
OPEN_B = finding("b", slice="country=DE")
CLOSED_A = finding("a", "closed")
CLOSED_B = finding("b", "closed", slice="country=DE", closed_at=1_700.0)
TICKET = finding("t", severity="ticket")
CLOSED_TICKET = finding("t", "closed", severity="ticket")


def fold(*findings: Finding, owners: Owners = OWNERS) -> tuple[Ledger, list[Decision]]:
    ledger, decisions = Ledger(), []
    for fact in findings:
        decisions.append(triage(ledger, fact, owners, now=2_000.0))
        for incident in decisions[-1].changed:
            ledger.put(incident)
    return ledger, decisions


def actions(incident: Incident) -> list[tuple[str, str]]:
    return [(n.action, n.receiver) for n in incident.notifications]


def test_same_finding_twice_equals_once() -> None:
    once, _ = fold(OPEN_A)
    twice, decisions = fold(OPEN_A, OPEN_A)
    assert list(twice) == list(once)
    assert decisions[1] == Decision((), (Reason.REPEAT,))


@pytest.mark.parametrize(
    ("history", "reasons"),
    [
        ([OPEN_A], (Reason.OPENED,)),
        ([OPEN_A, OPEN_A], (Reason.REPEAT,)),
        ([OPEN_A, OPEN_B], (Reason.CHILD_ADDED, Reason.ALREADY_OPEN)),
        ([OPEN_A, CLOSED_A], (Reason.RESOLVED,)),
        ([OPEN_A, CLOSED_A, CLOSED_A], (Reason.REPEAT,)),
        ([OPEN_A, CLOSED_A, OPEN_A], (Reason.REPEAT,)),
        ([OPEN_A, OPEN_B, CLOSED_A], (Reason.STILL_OPEN_CHILDREN,)),
        ([OPEN_A, OPEN_B, CLOSED_A, CLOSED_B], (Reason.RESOLVED,)),
        ([CLOSED_A], (Reason.CLOSED_UNSEEN,)),
        ([CLOSED_A, OPEN_A], (Reason.REPEAT,)),
        ([OPEN_B, CLOSED_A], (Reason.CLOSED_UNSEEN,)),
        ([TICKET], (Reason.OPENED, Reason.TICKET_NOT_PAGED)),
        ([TICKET, OPEN_A], (Reason.CHILD_ADDED, Reason.ESCALATED)),
        ([OPEN_A, TICKET], (Reason.CHILD_ADDED, Reason.ALREADY_OPEN)),
        ([TICKET, CLOSED_TICKET], (Reason.RESOLVED,)),
        ([finding("x", model="fraud.eu")], (Reason.OPENED, Reason.NO_RECEIVERS)),
        ([OPEN_A, CLOSED_A, OPEN_B], (Reason.OPENED,)),
    ],
)
def test_the_last_finding_gets_its_reasons(history: list[Finding], reasons: tuple[Reason, ...]) -> None:
    _, decisions = fold(*history)
    assert decisions[-1].reasons == reasons


def test_opening_tells_every_receiver_of_the_owner_once() -> None:
    ledger, _ = fold(OPEN_A, OPEN_B)
    (incident,) = ledger
    assert actions(incident) == [("trigger", "maps-hook"), ("trigger", "maps-pd")]
    assert incident.findings == {"a": "open", "b": "open"}
    assert incident.lead == OPEN_A


def test_last_closing_resolves_at_its_own_instant_and_tells_whoever_was_told() -> None:
    ledger, _ = fold(OPEN_A, OPEN_B, CLOSED_A, CLOSED_B)
    (incident,) = ledger
    assert (incident.state, incident.resolved_at) == ("resolved", 1_700.0)
    assert actions(incident)[2:] == [("resolve", "maps-hook"), ("resolve", "maps-pd")]


def test_ticket_pages_nobody_and_its_end_neither() -> None:
    ledger, _ = fold(TICKET, CLOSED_TICKET)
    (incident,) = ledger
    assert incident.state == "resolved"
    assert actions(incident) == []


def test_page_that_joins_a_ticket_speaks_for_the_incident() -> None:
    ledger, _ = fold(TICKET, OPEN_A)
    (incident,) = ledger
    assert (incident.severity, incident.lead) == ("page", OPEN_A)
    assert actions(incident) == [("trigger", "maps-hook"), ("trigger", "maps-pd")]


DRIFT = finding("d", severity="ticket", metric="psi", before=0.01, after=0.4, feature="age")


@pytest.mark.parametrize("order", [(DRIFT, OPEN_A), (OPEN_A, DRIFT)])
def test_open_drift_does_not_keep_a_page_open(order: tuple[Finding, Finding]) -> None:
    ledger, _ = fold(*order, CLOSED_A)
    (incident,) = ledger
    assert (incident.state, incident.severity, incident.lead.id) == ("resolved", "page", "a")
    assert incident.children["eta.city"].metric == "accuracy"
    assert [action for action, _ in actions(incident)] == ["trigger", "trigger", "resolve", "resolve"]


def test_drift_that_ends_after_the_page_is_resolved_changes_nothing_for_anybody() -> None:
    ledger, decisions = fold(OPEN_A, DRIFT, CLOSED_A, replace(DRIFT, state="closed", closed_at=1_900.0))
    (incident,) = ledger
    assert decisions[-1].reasons == (Reason.RESOLVED_BEFORE,)
    assert (incident.state, len(incident.notifications)) == ("resolved", 4)


def test_next_trouble_after_a_resolve_is_another_incident() -> None:
    ledger, _ = fold(OPEN_A, CLOSED_A, OPEN_B)
    first, second = ledger
    assert first.dedup_key != second.dedup_key
    assert (first.state, second.state) == ("resolved", "open")


def test_models_of_one_owner_have_incidents_of_their_own() -> None:
    ledger, _ = fold(OPEN_A, finding("r", model="route-bike"))
    assert {incident.model for incident in ledger} == {"eta.city", "route-bike"}


def test_incident_keeps_its_owner_when_the_configuration_changes() -> None:
    ledger, _ = fold(OPEN_A)
    other = Owners(owners=(Owner(name="new-team", receivers=("new-hook",)),))
    (resolved,) = triage(ledger, CLOSED_A, other, now=2_000.0).changed
    assert resolved.owner == "maps"
    assert actions(resolved)[2:] == [("resolve", "maps-hook"), ("resolve", "maps-pd")]


def test_endless_flapping_does_not_grow_an_incident_without_end() -> None:
    ledger, _ = fold(OPEN_A)
    for number in range(FINDINGS_BUDGET + 10):
        for state in ("open", "closed"):
            for incident in triage(ledger, finding(f"n{number}", state), OWNERS, now=2_000.0).changed:
                ledger.put(incident)
    (incident,) = ledger
    assert len(incident.findings) == FINDINGS_BUDGET
    assert incident.open_findings == 1
    assert ledger.holding("n0") == []
    assert ledger.holding("a") == [incident]


def test_receiver_that_refused_the_trigger_gets_no_resolve() -> None:
    ledger, _ = fold(OPEN_A)
    (incident,) = ledger
    ledger.put(with_notification(incident, replace(incident.notifications[0], state="failed")))
    (resolved,) = triage(ledger, CLOSED_A, OWNERS, now=2_000.0).changed
    assert actions(resolved)[2:] == [("resolve", "maps-pd")]


def test_resolve_waits_for_its_own_receivers_trigger() -> None:
    ledger, _ = fold(OPEN_A, CLOSED_A)
    (incident,) = ledger
    hook_trigger, pd_trigger, hook_resolve, pd_resolve = incident.notifications
    assert not sendable(incident, hook_resolve)
    told = with_notification(incident, replace(hook_trigger, state="sent"))
    assert sendable(told, hook_resolve)
    assert not sendable(told, pd_resolve)
    assert sendable(told, pd_trigger)


def test_ids_come_from_content_and_suit_standard_webhooks() -> None:
    ledger, _ = fold(OPEN_A, CLOSED_A)
    (incident,) = ledger
    assert incident.id == incident_id("maps", "eta.city", "a")
    ids = [n.id for n in incident.notifications]
    assert len(set(ids)) == 4
    assert not any("." in name for name in ids)
    assert incident_id("a", "bc", "d") != incident_id("ab", "c", "d")


@pytest.mark.parametrize(
    ("model", "owner"),
    [
        ("eta.city", "maps"),
        ("route-bike", "maps"),
        ("ETA.city", "ml-platform"),
        ("fraud", "ml-platform"),
        ("xeta.city", "ml-platform"),
    ],
)
def test_model_belongs_to_the_first_owner_whose_pattern_matches(model: str, owner: str) -> None:
    later = Owner(name="never", models=("eta.city",))
    assert Owners(owners=(MAPS, later), default=OWNERS.default).of(model).name == owner


def test_without_owners_there_is_still_one() -> None:
    assert Owners().of("anything").name == "unclaimed"


def crowded(upstream: Upstream | None = None) -> tuple[Ledger, Owners, Incident]:
    """Return a ledger with one incident that has all the findings that it may have, each of a model."""
    owners = Owners(owners=(MAPS,), upstreams=(upstream,) if upstream else ())
    ledger, _ = fold(replace(OPEN_A, model="eta.0"), owners=owners)
    (first,) = ledger
    many = range(1, FINDINGS_MOST)
    first = replace(
        first,
        findings=first.findings | {f"many-{number}": "open" for number in many},
        children=first.children | {f"eta.{number}": first.children["eta.0"] for number in many},
    )
    ledger.put(first)
    return ledger, owners, first


def arrived(ledger: Ledger, owners: Owners, *findings: Finding) -> list[Decision]:
    decisions = []
    for fact in findings:
        decisions.append(triage(ledger, fact, owners, now=2_001.0))
        for incident in decisions[-1].changed:
            ledger.put(incident)
    return decisions


@pytest.mark.parametrize("upstream", [None, Upstream(name="fleet", owner="maps", models=("eta.*",), least=1)])
def test_an_incident_that_is_full_is_followed_by_another_one_that_takes_what_comes(
    upstream: Upstream | None,
) -> None:
    ledger, owners, first = crowded(upstream)
    new = replace(OPEN_A, id="n", model="eta.new")
    known = replace(OPEN_B, id="k", model="eta.7")
    later = replace(OPEN_A, id="l", model="eta.later")
    closed = replace(CLOSED_A, id="many-9", model="eta.9")
    decisions = arrived(ledger, owners, new, known, closed, later)
    opened = (Reason.OPENED, Reason.ANOTHER_IS_FULL)
    joined = (Reason.CHILD_ADDED, Reason.ALREADY_OPEN)
    assert [one.reasons for one in decisions] == [opened, joined, (Reason.STILL_OPEN_CHILDREN,), joined]
    second = decisions[0].changed[0].id
    assert [one.changed[0].id for one in decisions] == [second, second, first.id, second]


def test_a_full_incident_fits_its_topic_and_its_dead_letter_too_with_names_as_long_as_they_may_be() -> None:
    _, _, first = crowded()
    child = replace(first.children["eta.0"], version="v" * 200, slice="s" * 64 + "=" + "v" * 128)
    children = {f"{number:0200d}": child for number in range(FINDINGS_MOST)}
    findings = {f"fnd_{number:032d}": "open" for number in range(FINDINGS_MOST)}
    full = replace(first, findings=findings, children=children, tickets=tuple(findings))
    assert is_full(full)
    record = msgspec.json.encode(full)
    assert len(record) < COMPACTED_RECORD_BYTES
    letter = undelivered("dead-letters")(Due(full, full.notifications[0]), "http_413")
    assert letter.size < LETTER_BYTES < len(record)
    assert letter.value is not None
    assert record.startswith(letter.value)
    assert dict(letter.headers)["tidewatch_original_bytes"] == f"36/0/{len(record)}".encode()
