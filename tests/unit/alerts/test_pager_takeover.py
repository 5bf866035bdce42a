"""A pager that takes the findings over: what lies in the log is folded before time passes and anything leaves."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from alerts.book import IncidentBook
from alerts.calendar import Silence
from alerts.command import Command
from alerts.grouping import Grouping
from alerts.owners import Owner, Owners, Step
from alerts.silences import SetSilence, wished
from stream.wire import encode
from tests.unit.alerts.samples import Rec, Seen, finding, fresh_book, new_book, record
from tests.unit.alerts.test_rollback import HOOK, blaming, commit
from tests.unit.alerts.test_rollback import owners as hooked

STEPS = (Step(after_s=300.0, receivers=("second",)),)
ESCALATED = Owner(name="maps", models=("eta.*",), receivers=("first",), escalation=STEPS)
REPEATED = Owner(name="maps", models=("eta.*",), receivers=("first",), repeat_s=300.0)


def at(fact: object, now: float) -> Rec:
    value = msgspec.json.encode(fact) if isinstance(fact, Command | SetSilence) else encode(fact)
    return Rec(value, int(now * 1000))


def taken_over(stored: dict[bytes, bytes], owners: Owners) -> IncidentBook:
    book = fresh_book(Seen(), owners=owners)
    for key, value in stored.items():
        book.restore(key, value)
    book.committed()
    return book


def triggers(book: IncidentBook) -> list[tuple[str, float]]:
    notifications = [one for incident in book.incidents() for one in incident.notifications]
    return [(one.receiver, one.due_at) for one in notifications if one.action == "trigger"]


def acknowledged(book: IncidentBook) -> Command:
    (incident,) = book.incidents()
    return Command(kind="acknowledge", incident=incident.id, by="ada")


def closed(_: IncidentBook) -> object:
    return finding("a", "closed")


@pytest.mark.parametrize("owner", [ESCALATED, REPEATED])
@pytest.mark.parametrize("answer", [acknowledged, closed])
def test_nobody_else_is_told_of_what_the_log_says_somebody_has_or_is_over(
    owner: Owner, answer: Callable[[IncidentBook], object]
) -> None:
    owners, stored = Owners(owners=(owner,), grouping=Grouping(hold_s=0)), dict[bytes, bytes]()
    before = new_book(owners=owners)
    before.apply([at(finding("a"), 2_000.0)])
    commit(before, stored)
    after = taken_over(stored, owners)
    after.advance(5_000.0)
    after.apply([at(answer(after), 2_100.0)])
    after.caught_up()
    after.advance(5_001.0)
    assert triggers(after) == [("first", 2_000.0)]


@pytest.mark.parametrize("owner", [ESCALATED, REPEATED])
@pytest.mark.parametrize("answer", [acknowledged, closed])
def test_a_pager_that_stood_still_folds_what_was_written_meanwhile_before_its_time_passes(
    owner: Owner, answer: Callable[[IncidentBook], object]
) -> None:
    book = new_book(owners=Owners(owners=(owner,), grouping=Grouping(hold_s=0)))
    book.apply([at(finding("a"), 2_000.0)])
    commit(book, {})
    book.doubt()
    commit(book, {})  # Kafka takes it, so the findings are still its own
    book.advance(2_305.0)
    book.apply([at(answer(book), 2_299.0)])
    book.caught_up()
    book.advance(2_305.25)
    assert triggers(book) == [("first", 2_000.0)]


def test_what_a_silence_kept_quiet_is_not_told_when_it_ended_meanwhile() -> None:
    owners, stored = Owners(owners=(ESCALATED,), grouping=Grouping(hold_s=0)), dict[bytes, bytes]()
    silence = Silence(name="", author="ada", reason="move", starts_at=1_000.0, ends_at=3_000.0)
    wish = wished(silence)
    before = new_book(owners=owners)
    before.apply([at(wish, 1_500.0), at(finding("a"), 2_000.0)])
    commit(before, stored)
    after = taken_over(stored, owners)
    after.advance(5_000.0)
    after.apply([at(finding("a", "closed"), 2_500.0)])
    after.caught_up()
    after.advance(5_001.0)
    assert triggers(after) == []


def test_a_rollback_whose_harm_is_over_in_the_log_is_not_asked_for() -> None:
    stored = dict[bytes, bytes]()
    before = new_book(owners=hooked())
    before.apply([record(blaming())])
    commit(before, stored)
    assert [*before.due(HOOK)]
    after = taken_over(stored, hooked())
    assert not after.is_live
    after.apply([record(blaming("a", state="closed", closed_at=1_500.0))])
    after.caught_up()
    assert after.is_live
    assert [*after.due(HOOK)] == []


def test_what_was_due_at_the_takeover_leaves_once_it_has_caught_up_and_its_time_passes_then() -> None:
    owners, stored, told = Owners(owners=(ESCALATED,)), dict[bytes, bytes](), list[bool]()
    before = new_book(owners=owners)
    before.apply([at(finding("a"), 2_000.0)])
    commit(before, stored)
    after = fresh_book(Seen(), announce=lambda: told.append(after.is_live), owners=owners)
    for key, value in stored.items():
        after.restore(key, value)
    after.committed()
    assert told == [False]
    after.caught_up()
    assert told == [False, True]
    assert len([*after.due("first")]) == 1
    after.advance(2_301.0)
    assert triggers(after) == [("first", 2_000.0), ("second", 2_300.0)]


def test_a_book_that_comes_back_is_behind_again_and_one_that_is_taken_away_is_live_no_more() -> None:
    book = new_book()
    book.committed()
    assert book.is_live
    for doubt in (book.doubt, book.suspend):
        doubt()
        assert not book.is_live
        commit(book, {})
        assert not book.is_live
        book.caught_up()
        assert book.is_live
    book.close()
    commit(book, {})
    book.caught_up()
    assert not book.is_live


def test_a_commit_that_began_before_the_pager_stood_still_does_not_prove_that_the_findings_are_its_own() -> (
    None
):
    book = new_book()
    book.committed()
    book.freeze({})
    book.doubt()
    book.caught_up()
    book.committed()
    assert not book.is_live
    commit(book, {})
    assert book.is_live
