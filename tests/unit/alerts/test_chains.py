"""What waits for one receiver of one incident: in order, and nothing that was decided is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from alerts.book import IncidentBook
from alerts.grouping import Grouping
from alerts.incident import NOTIFICATIONS_BUDGET, Incident, Notification, sendable, with_due
from alerts.outbox import Due
from stream.events import Finding
from tests.unit.alerts.samples import MAPS, OWNERS, Rec, finding, incident_of, new_book, record

AGAIN = replace(OWNERS, grouping=Grouping(together_s=0, upstream_s=0))
FALLBACKS = {"maps-hook": "spare"}


def fold(book: IncidentBook, *facts: Finding, at: float = 2_000.0) -> None:
    book.apply([Rec(record(fact).value, int(at * 1_000)) for fact in facts])
    commit(book)


def commit(book: IncidentBook) -> None:
    book.freeze({})
    book.committed()


def first(book: IncidentBook, receiver: str = "maps-hook") -> Due:
    due = next(iter(book.due(receiver)))
    assert isinstance(due, Due)
    return due


def said(due: Due) -> tuple[str, int]:
    return due.notification.action, due.notification.episode


def test_a_page_of_the_past_that_is_refused_takes_no_later_page_with_it() -> None:
    book = new_book(owners=AGAIN, fallbacks=FALLBACKS)
    fold(book, finding("a"), finding("a", "closed"), finding("b"))
    book.refused(first(book), "http_400")
    commit(book)
    assert said(first(book)) == ("trigger", 2)
    book.refused(first(book), "http_400")
    commit(book)
    assert said(first(book, "spare")) == ("trigger", 2)
    fold(book, finding("b", "closed"))
    book.accepted(first(book, "spare"), at=2_100.0)
    commit(book)
    assert said(first(book, "spare")) == ("resolve", 2)


def test_whoever_has_the_page_hears_of_its_end_though_a_repeat_was_refused() -> None:
    book = new_book(owners=replace(AGAIN, owners=(replace(MAPS, repeat_s=100.0),)))
    fold(book, finding("a"))
    book.accepted(first(book), at=2_001.0)
    book.advance(2_100.0)
    fold(book, finding("a", "closed"), at=2_101.0)
    assert said(first(book)) == ("trigger", 1)
    book.refused(first(book), "http_413")
    commit(book)
    assert said(first(book)) == ("resolve", 1)


def crowded(*more: Notification, **fields: Any) -> Incident:
    """An incident with so many settled notifications of its first episode that they are forgotten in the next."""
    incident = incident_of(finding("a"))
    trigger = replace(incident.notifications[0], state="sent")
    past = [
        replace(trigger, id=f"ntf_{number}", receiver="maps-pd") for number in range(NOTIFICATIONS_BUDGET)
    ]
    return replace(incident, notifications=(trigger, *past, *more), **fields)


def end_of(incident: Incident) -> Sequence[Notification]:
    trigger = incident.notifications[0]
    return (replace(trigger, id="ntf_end", action="resolve", state="due"),)


def test_what_waits_keeps_the_page_that_it_follows_from_being_forgotten() -> None:
    incident = crowded()
    relapsed = replace(crowded(*end_of(incident)), episode=2)
    later = with_due(relapsed, "trigger", ("maps-hook", "maps-pd"), 3_000.0)
    assert sendable(later, later.notification("ntf_end"))
    settled = replace(later, notifications=tuple(replace(one, state="sent") for one in later.notifications))
    assert len(with_due(settled, "resolve", ("maps-hook",), 3_001.0).notifications) == NOTIFICATIONS_BUDGET


def test_what_was_sent_and_forgotten_between_two_checkpoints_waits_no_more() -> None:
    trigger = incident_of(finding("a")).notifications[0]
    down = [
        replace(trigger, id=f"ntf_{number}", receiver="maps-pd") for number in range(NOTIFICATIONS_BUDGET)
    ]
    incident = replace(
        incident_of(finding("a"), finding("a", "closed")),
        notifications=(
            replace(trigger, state="sent"),
            *down,
            replace(trigger, id="ntf_end", action="resolve"),
        ),
    )
    book = new_book(owners=AGAIN)
    book.restore(incident.id.encode(), msgspec.json.encode(incident))
    book.committed()
    book.accepted(first(book), at=2_050.0)
    book.apply([Rec(record(finding("b")).value, 2_100_000)])
    (relapsed,) = book.incidents()
    assert "ntf_end" not in {one.id for one in relapsed.notifications}
    assert [*book.due("maps-hook")] == []
    assert book.waiting("maps-hook") == 0
    commit(book)
    assert said(first(book)) == ("trigger", 2)
