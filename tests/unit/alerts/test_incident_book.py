"""The book as the engine's partition: repeats, restarts, and nothing seen before it is durable."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.archive import StateError
from alerts.book import IncidentBook
from alerts.incident import Incident
from alerts.outbox import Due
from alerts.owners import Owners
from alerts.reason import Reason
from stream.events import Finding
from tests.unit.alerts.samples import APART, OWNERS, Rec, Seen, commit, finding, new_book, record

MODELS = ("eta.city", "route-bike", "fraud")


@st.composite
def histories(draw: st.DrawFn) -> list[Finding]:
    """Findings in any order, with gaps and repeats; an id belongs to one model."""
    history = []
    for _ in range(draw(st.integers(0, 12))):
        model = draw(st.sampled_from(MODELS))
        history.append(
            finding(
                f"{model}/{draw(st.sampled_from('abc'))}",
                draw(st.sampled_from(["open", "closed"])),
                model=model,
                severity=draw(st.sampled_from(["page", "ticket"])),
            )
        )
    return history


def incidents(book: IncidentBook) -> dict[str, Incident]:
    return {incident.id: incident for incident in book.incidents()}


def deliver(book: IncidentBook, *receivers: str) -> list[Due]:
    """Accept everything that may leave, until nothing may."""
    sent: list[Due] = []
    while ready := [due for name in receivers for due in book.due(name)]:
        for due in ready:
            book.accepted(due, at=2_001.0)
        sent += ready
        commit(book)
    return sent


@given(histories(), st.randoms(use_true_random=False))
def test_repeated_findings_change_nothing(history: list[Finding], dice: Random) -> None:
    repeated: list[Finding] = []
    for number, fact in enumerate(history):
        repeated.append(fact)
        repeated += dice.sample(history[: number + 1], dice.randint(0, 2) if number > 1 else 0)
    once, often = new_book(), new_book()
    once.apply([record(fact) for fact in history])
    often.apply([record(fact) for fact in repeated])
    often.apply([record(fact) for fact in history])
    assert incidents(often) == incidents(once)


@given(histories())
def test_an_episode_triggers_once_and_resolves_after_it(facts: list[Finding]) -> None:
    book = new_book()
    sent: list[Due] = []
    for fact in facts:
        book.apply([record(fact)])
        commit(book)
        sent += deliver(book, "maps-hook", "maps-pd")
    ids = [due.notification.id for due in sent]
    assert len(ids) == len(set(ids))
    first_said = {fact.id: fact for fact in reversed(facts)}
    for incident in book.incidents():
        paged = incident.owner == "maps" and any(
            (first_said[name].state, first_said[name].severity) == ("open", "page")
            for name in incident.findings
        )
        expected = ["trigger", "resolve"] if incident.state == "resolved" else ["trigger"]
        for receiver in ("maps-hook", "maps-pd"):
            told = [
                due.notification.action
                for due in sent
                if due.incident.id == incident.id and due.notification.receiver == receiver
            ]
            assert told == (expected if paged else [])


@given(histories(), st.integers(0, 12), st.integers(0, 4))
def test_restored_state_equals_live_state_and_due_notifications_survive(
    facts: list[Finding], checkpoint_at: int, accepted: int
) -> None:
    live = new_book()
    stored: dict[bytes, bytes | None] = {}
    for number, fact in enumerate(facts):
        live.apply([record(fact)])
        if number == checkpoint_at:
            stored |= commit(live)
    stored |= commit(live)
    for due in list(live.due("maps-hook"))[:accepted]:
        live.accepted(due, at=2_001.0)
    stored |= commit(live)
    again = new_book()
    for key, value in stored.items():
        if value is not None:
            again.restore(key, value)
    assert list(again.due("maps-hook")) == []
    again.committed()
    assert incidents(again) == incidents(live)
    for receiver in ("maps-hook", "maps-pd"):
        assert {d.notification for d in again.due(receiver)} == {d.notification for d in live.due(receiver)}


def test_crash_rolls_back_to_the_last_flush_and_refolding_gives_the_same_ids() -> None:
    first = new_book()
    first.apply([record(finding("a"))])
    second = new_book()
    second.apply([record(finding("a"))])
    commit(first)
    commit(second)
    assert [d.notification.id for d in first.due("maps-hook")] == [
        d.notification.id for d in second.due("maps-hook")
    ]


def test_page_is_urgent_and_a_child_is_not() -> None:
    book = new_book()
    assert book.apply([record(finding("a")), record(finding("b"))])
    assert not book.apply([record(finding("c"))])
    assert not book.apply([record(finding("a", "closed")), record(finding("b", "closed"))])
    assert book.apply([record(finding("c", "closed"))])


def test_nothing_leaves_before_it_is_durable() -> None:
    seen = Seen()
    book = new_book(seen)
    book.apply([record(finding("a"))])
    assert list(book.due("maps-hook")) == []
    book.freeze({})
    assert list(book.due("maps-hook")) == []
    book.committed()
    assert len(list(book.due("maps-hook"))) == 1
    assert seen.announced == 1


def test_notification_that_came_after_the_flush_waits_for_the_next_one() -> None:
    book = new_book()
    book.apply([record(finding("a"))])
    book.freeze({})
    book.apply([record(finding("r", model="route-bike"))])
    book.committed()
    assert {due.incident.model for due in book.due("maps-hook")} == {"eta.city"}
    commit(book)
    assert {due.incident.model for due in book.due("maps-hook")} == {"eta.city", "route-bike"}


def test_resolve_leaves_only_after_the_accepted_trigger_is_durable() -> None:
    book = new_book()
    book.apply([record(finding("a")), record(finding("a", "closed"))])
    commit(book)
    (trigger,) = book.due("maps-hook")
    assert trigger.notification.action == "trigger"
    book.accepted(trigger, at=2_001.0)
    assert list(book.due("maps-hook")) == []
    commit(book)
    (resolve,) = book.due("maps-hook")
    assert resolve.notification.action == "resolve"


def test_sent_notification_is_not_due_after_a_flush_that_was_taken_before_it_was_sent() -> None:
    book = new_book()
    book.apply([record(finding("a"))])
    commit(book)
    (due,) = book.due("maps-hook")
    book.apply([record(finding("b"))])
    book.freeze({})
    book.accepted(due, at=2_001.0)
    book.committed()
    assert list(book.due("maps-hook")) == []


def test_acceptance_is_recorded_urgently_and_keeps_children_that_joined_meanwhile() -> None:
    seen = Seen()
    book = new_book(seen)
    book.apply([record(finding("a"))])
    commit(book)
    (due,) = book.due("maps-hook")
    book.apply([record(finding("b"))])
    book.accepted(due, at=2_001.0)
    (incident,) = book.incidents()
    assert incident.findings == {"a": "open", "b": "open"}
    assert incident.notifications[0].state == "sent"
    assert incident.notifications[0].accepted_at == 2_001.0
    assert seen.urged == 1


def test_attempt_that_failed_is_remembered_and_stays_due() -> None:
    book = new_book()
    book.apply([record(finding("a"))])
    commit(book)
    (due,) = book.due("maps-hook")
    book.put_off(due, "http_503")
    (again,) = book.due("maps-hook")
    assert (again.notification.attempts, again.notification.last_error) == (1, "http_503")
    assert again.notification.id == due.notification.id


def test_refused_trigger_takes_its_resolve_with_it() -> None:
    book = new_book()
    book.apply([record(finding("a")), record(finding("a", "closed"))])
    commit(book)
    (due,) = book.due("maps-hook")
    book.refused(due, "http_400")
    commit(book)
    assert list(book.due("maps-hook")) == []
    assert [n.receiver for n in book.pending()] == ["maps-pd", "maps-pd"]


def test_taken_away_book_hands_out_and_records_nothing() -> None:
    book = new_book()
    book.apply([record(finding("a"))])
    commit(book)
    (due,) = book.due("maps-hook")
    book.close()
    book.accepted(due, at=2_001.0)
    assert list(book.due("maps-hook")) == []
    assert book.freeze({}).state == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, "null_value"), (b"{", "bad_json"), (b'{"type":"finding"}', "missing_field")],
)
def test_what_is_no_finding_goes_to_the_dead_letters(value: bytes | None, reason: str) -> None:
    seen = Seen()
    book = new_book(seen)
    assert not book.apply([Rec(value, headers=[("trace", b"1")])])
    waiting_bytes = book.waiting_bytes
    (letter,) = book.freeze({}).outputs
    assert (letter.topic, letter.value) == ("dead-letters", value or b"")
    assert (waiting_bytes, book.waiting_bytes) == (letter.size, 0)
    assert ("tidewatch_reason", reason.encode()) in letter.headers
    assert ("trace", b"1") in letter.headers
    assert seen.refusals == [reason]
    assert book.freeze({}).outputs == []


def test_old_resolved_incidents_are_forgotten_once_nothing_is_left_to_send() -> None:
    book = new_book(resolved_budget=2, owners=Owners(grouping=APART))
    for number in range(5):
        book.apply([record(finding(f"{number}")), record(finding(f"{number}", "closed"))])
    dirty = commit(book)
    assert len(list(book.incidents())) == 2
    assert sum(value is None for value in dirty.values()) == 3
    unsent = new_book(resolved_budget=0)
    unsent.apply([record(finding("a")), record(finding("a", "closed"))])
    assert len(list(unsent.incidents())) == 1
    commit(unsent)
    deliver(unsent, "maps-hook", "maps-pd")
    assert list(unsent.incidents()) == []


def test_state_of_another_schema_is_refused_by_name() -> None:
    book = new_book()
    book.apply([record(finding("a"))])
    ((key, value),) = book.freeze({}).state
    assert value is not None
    newer = msgspec.json.encode(msgspec.json.decode(value) | {"schema": 2})
    with pytest.raises(StateError, match=r"inc_.*want schema 1"):
        new_book().restore(key, newer)
    with pytest.raises(StateError, match=r"inc_.*want schema 1"):
        new_book().restore(key, value[:-20])


def test_incident_that_the_first_release_wrote_is_taken_back_and_told() -> None:
    stored = (Path(__file__).parent / "data" / "incident-1.json").read_bytes()
    book = new_book()
    book.restore(b"inc_fc03ecddd2ff1ad6ff9bcb160acd85fc", stored)
    book.committed()
    (due,) = book.due("maps-hook")
    fresh = new_book()
    fresh.apply([record(finding("a"))])
    commit(fresh)
    assert due.notification.id == next(iter(fresh.due("maps-hook"))).notification.id
    book.apply([record(finding("b", slice="country=DE")), record(finding("a", "closed"))])
    assert len(list(book.incidents())) == 1


def test_watch_learns_the_reasons() -> None:
    seen = Seen()
    new_book(seen).apply([record(finding("a")), record(finding("a"))])
    assert seen.reasons == [(Reason.OPENED,), (Reason.REPEAT,)]
    assert OWNERS.names() == ("maps", "ml-platform")
