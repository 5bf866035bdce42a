"""Silences set by people: one order with the findings, durable, and ended by hand or by time."""

from __future__ import annotations

from itertools import count

import msgspec
import pytest
from msgspec.structs import replace

from alerts.archive import StateError
from alerts.book import IncidentBook
from alerts.calendar import Silence
from alerts.incident import Incident
from alerts.owners import Owner, Owners, Step
from alerts.reason import Reason
from alerts.silences import SILENCES_BUDGET, EndSilence, SetSilence, Wish, wished
from tests.unit.alerts.samples import APART, MAPS, Rec, Seen, finding, new_book, record

OWNERS = Owners(
    owners=(replace(MAPS, escalation=(Step(after_s=60.0, receivers=("boss",)),)),),
    default=Owner(name="rest", receivers=("rest-hook",)),
    grouping=APART,
)
MOVE = Silence(
    name="", author="ada", reason="move", starts_at=1_000.0, ends_at=3_000.0, model="eta.*", owner="maps"
)


class Life:
    """A book whose records come at instants of its own, and its checkpoints."""

    def __init__(self, stored: dict[bytes, bytes] | None = None) -> None:
        self.seen = Seen()
        self.book: IncidentBook = new_book(self.seen, owners=OWNERS)
        self.stored = dict(stored or {})
        for key, value in self.stored.items():
            self.book.restore(key, value)
        self.commit()

    def take(self, fact, at: float) -> tuple[Reason, ...]:
        value = msgspec.json.encode(fact) if isinstance(fact, Wish) else record(fact).value
        self.book.apply([Rec(value, timestamp=int(at * 1_000))])
        self.commit()
        return self.seen.reasons[-1]

    def commit(self) -> None:
        for key, value in self.book.freeze({}).state:
            if value is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = value
        self.book.committed()

    def pass_until(self, at: float) -> None:
        self.book.advance(at)
        self.commit()

    def only(self) -> Incident:
        (incident,) = self.book.incidents()
        return incident

    def told(self) -> list[tuple[str, float]]:
        return [(one.receiver, one.due_at) for one in self.only().notifications]


def test_what_opens_under_a_silence_is_untold_until_it_ends() -> None:
    life = Life()
    assert life.take(wished(MOVE), 1_000.0) == (Reason.SILENCE_SET,)
    assert Reason.SILENCED in life.take(finding(), 1_500.0)
    assert life.only().muted_by == f"silence {wished(MOVE).id}, by ada: move"
    life.pass_until(2_999.0)
    assert life.told() == []
    life.pass_until(3_000.5)
    assert life.told() == [("maps-hook", 3_000.0), ("maps-pd", 3_000.0)]
    assert not [key for key in life.stored if key.startswith(b"sil_")]


def test_what_is_open_is_not_escalated_while_it_is_silenced() -> None:
    life = Life()
    life.take(finding(), 1_500.0)
    life.take(wished(MOVE), 1_510.0)
    life.pass_until(2_900.0)
    assert [name for name, _ in life.told()] == ["maps-hook", "maps-pd"]
    life.pass_until(3_100.0)
    assert ("boss", 3_060.0) in life.told()


def test_an_end_by_hand_tells_what_is_still_open() -> None:
    life = Life()
    life.take(wished(MOVE), 1_000.0)
    life.take(finding(), 1_500.0)
    assert life.take(EndSilence(id=wished(MOVE).id, by="eve"), 1_600.0) == (Reason.SILENCE_ENDED,)
    life.pass_until(1_600.5)
    assert life.told() == [("maps-hook", 1_600.0), ("maps-pd", 1_600.0)]
    assert life.take(EndSilence(id=wished(MOVE).id, by="eve"), 1_700.0) == (Reason.NO_SUCH_SILENCE,)


@pytest.mark.parametrize(
    ("change", "is_told"),
    [
        ({}, False),
        ({"owner": ""}, False),
        ({"owner": "rest"}, True),
        ({"model": "route-*"}, True),
        ({"slice": "country=C[HZ]"}, False),
        ({"version": "8"}, True),
        ({"metric": "mae"}, True),
        ({"starts_at": 1_600.0}, True),
    ],
)
def test_a_silence_holds_for_what_it_matches_of_its_owner(change: dict, is_told: bool) -> None:
    for order in (("silence", "finding"), ("finding", "silence")):
        life, ats = Life(), count(1_500)
        facts = {"silence": wished(replace(MOVE, **change)), "finding": finding()}
        for name in order:
            life.take(facts[name], float(next(ats)))
        assert (life.only().muted_until is None) is is_told


def test_a_wish_that_comes_again_or_late_changes_nothing() -> None:
    life = Life()
    life.take(finding(), 1_400.0)
    life.take(wished(MOVE), 1_500.0)
    before, stored = life.only(), dict(life.stored)
    assert life.take(wished(MOVE), 1_600.0) == (Reason.REPEAT,)
    assert (life.only(), life.stored) == (before, stored)
    assert Life().take(wished(MOVE), 3_000.0) == (Reason.REPEAT,)


def test_silences_survive_a_restart_and_decide_as_before() -> None:
    life = Life()
    life.take(wished(MOVE), 1_000.0)
    again = Life(life.stored)
    assert Reason.SILENCED in again.take(finding(), 1_500.0)
    assert again.take(EndSilence(id=wished(MOVE).id, by="eve"), 1_600.0) == (Reason.SILENCE_ENDED,)
    assert Reason.SILENCED not in Life(again.stored).take(finding("b", model="route-bike"), 1_700.0)


def test_silences_have_a_bound() -> None:
    life = Life()
    for number in range(SILENCES_BUDGET):
        life.take(wished(replace(MOVE, reason=str(number))), 1_000.0)
    assert life.take(wished(replace(MOVE, reason="more")), 1_000.0) == (Reason.TOO_MANY_SILENCES,)


def test_the_name_of_a_silence_comes_from_its_content() -> None:
    assert wished(MOVE) == wished(MOVE)
    assert wished(MOVE).id != wished(replace(MOVE, ends_at=3_001.0)).id


def test_the_file_silences_still_count_beside_those_of_people() -> None:
    kept = replace(MOVE, name="file", model="route-*", owner="")
    book = new_book(seen := Seen(), owners=replace(OWNERS, silences=(kept,)))
    for fact in (wished(MOVE), finding("a"), finding("b", model="route-bike")):
        value = msgspec.json.encode(fact) if isinstance(fact, SetSilence) else record(fact).value
        book.apply([Rec(value, timestamp=1_500_000)])
    assert [Reason.SILENCED in reasons for reasons in seen.reasons] == [False, True, True]


def test_a_damaged_silence_is_a_state_error() -> None:
    with pytest.raises(StateError, match="sil_x"):
        new_book().restore(b"sil_x", b'{"type":"silence","schema":2}')


def test_an_end_frees_only_what_that_silence_kept_quiet() -> None:
    life = Life()
    other = wished(replace(MOVE, model="route-*"))
    for fact, at in ((wished(MOVE), 1_000.0), (other, 1_001.0), (finding("a"), 1_500.0)):
        life.take(fact, at)
    life.take(finding("b", model="route-bike"), 1_501.0)
    life.take(EndSilence(id=other.id, by="eve"), 1_600.0)
    life.pass_until(1_601.0)
    told = {one.model for one in life.book.incidents() if one.notifications}
    assert told == {"route-bike"}


def test_what_another_silence_keeps_quiet_longer_stays_quiet() -> None:
    life = Life()
    longer = wished(replace(MOVE, ends_at=5_000.0))
    life.take(longer, 1_000.0)
    life.take(finding(), 1_500.0)
    life.take(wished(MOVE), 1_600.0)
    assert (life.only().muted_by, life.only().muted_until) == (longer.silence.said, 5_000.0)


def test_an_end_tells_nobody_again_who_was_never_kept_from_knowing() -> None:
    life = Life()
    life.take(finding(model="route-bike"), 900.0)
    for name in ("maps-hook", "maps-pd"):
        for due in life.book.due(name):
            life.book.accepted(due, at=901.0)
    told = life.told()
    life.take(wished(MOVE), 1_000.0)
    life.take(EndSilence(id=wished(MOVE).id, by="eve"), 1_001.0)
    life.pass_until(1_002.0)
    assert {name for name, at in life.told() if at > 960.0} == set()
    assert set(told) <= set(life.told())
