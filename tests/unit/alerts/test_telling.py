"""When who is told: escalation, repeats, acknowledgement, quiet hours, silences, rotas; by nominal instants."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.calendar import QuietHours, Silence
from alerts.command import Command
from alerts.grouping import Grouping
from alerts.ical import IcalRota, read
from alerts.incident import Incident
from alerts.owners import Owner, Owners, Step
from alerts.page import render
from alerts.reason import Reason
from stream.events import Finding
from stream.wire import encode
from tests.unit.alerts.samples import Rec, Seen, finding, new_book

STEPS = (Step(after_s=300.0, receivers=("second", "first")), Step(after_s=900.0, receivers=("boss",)))
MAPS: dict[str, Any] = {"name": "maps", "models": ("eta.*",), "receivers": ("first",)}
BERLIN = ZoneInfo("Europe/Berlin")


class Play:
    """A book on a clock of its own."""

    def __init__(self, owner: Owner, **options: Any) -> None:
        self.seen = Seen()
        self.book = new_book(self.seen, owners=Owners(owners=(owner,), **options))
        self.book.committed()

    def at(self, now: float, *facts: Finding | Command) -> None:
        values = [msgspec.json.encode(one) if isinstance(one, Command) else encode(one) for one in facts]
        self.book.apply([Rec(value, int(now * 1000)) for value in values])
        self.book.advance(now)

    @property
    def incident(self) -> Incident:
        (only,) = self.book.incidents()
        return only

    def told(self) -> list[tuple[str, float]]:
        return [(one.receiver, one.due_at) for one in self.incident.notifications if one.action == "trigger"]

    def deliver(self) -> None:
        for _ in range(10):
            self.book.freeze({})
            self.book.committed()
            for name in ("first", "second", "boss"):
                for due in self.book.due(name):
                    self.book.accepted(due, at=0.0)


def ack(play: Play, by: str = "ada") -> Command:
    return Command(kind="acknowledge", incident=play.incident.id, by=by)


def test_steps_are_told_one_after_the_other_until_somebody_acknowledges() -> None:
    play = Play(Owner(**MAPS, escalation=STEPS))
    play.at(2_000.0, finding("a"))
    play.at(2_299.0)
    assert play.told() == [("first", 2_000.0)]
    play.at(2_300.5)
    assert play.told() == [("first", 2_000.0), ("second", 2_300.0)]
    play.at(2_400.0, ack(play))
    play.at(9_999.0)
    assert play.told() == [("first", 2_000.0), ("second", 2_300.0)]
    acks = [one.receiver for one in play.incident.notifications if one.action == "acknowledge"]
    assert acks == ["first", "second"]


def test_who_had_acknowledged_a_ticket_has_not_acknowledged_the_page_that_joins_it() -> None:
    play = Play(Owner(**MAPS, escalation=STEPS))
    play.at(2_000.0, finding("t", severity="ticket"))
    play.at(2_100.0, ack(play))
    play.at(90_000.0, finding("a"))
    play.at(90_300.5)
    assert play.told() == [("first", 90_000.0), ("second", 90_300.0)]
    assert (play.incident.state, play.incident.acknowledged_by) == ("open", "")


@given(st.lists(st.floats(0.1, 4_000.0), max_size=30).map(sorted))
def test_ticks_at_any_time_decide_the_same(ticks: Sequence[float]) -> None:
    owner = Owner(**MAPS, escalation=STEPS, repeat_s=400.0, repeats=3)
    often, once = Play(owner), Play(owner)
    for play in (often, once):
        play.at(2_000.0, finding("a"))
    for tick in ticks:
        often.at(2_000.0 + tick)
    for play in (often, once):
        play.at(6_000.0)
    assert often.incident == once.incident


def test_repeats_go_to_all_who_were_told_under_new_ids_and_end() -> None:
    play = Play(Owner(**MAPS, escalation=STEPS[:1], repeat_s=400.0, repeats=2))
    play.at(2_000.0, finding("a"))
    play.deliver()
    for now in (2_300.0, 2_400.0, 2_800.0, 9_000.0):
        play.at(now)
        play.deliver()
    assert play.told() == [
        ("first", 2_000.0),
        ("second", 2_300.0),
        ("first", 2_400.0),
        ("second", 2_400.0),
        ("first", 2_800.0),
        ("second", 2_800.0),
    ]
    assert len({one.id for one in play.incident.notifications}) == 6


def test_repeats_to_a_receiver_that_has_not_even_got_the_first_are_not_piled_up() -> None:
    play = Play(Owner(**MAPS, repeat_s=400.0, repeats=5))
    play.at(2_000.0, finding("a"))
    play.at(9_000.0)
    assert play.told() == [("first", 2_000.0)]


def test_of_two_acknowledgements_the_first_wins_and_a_later_relapse_needs_a_new_one() -> None:
    play = Play(Owner(**MAPS))
    play.at(2_000.0, finding("a"))
    play.at(2_010.0, ack(play, "ada"), ack(play, "bob"))
    assert (play.incident.state, play.incident.acknowledged_by) == ("acknowledged", "ada")
    assert play.seen.reasons[-2:] == [(Reason.ACKNOWLEDGED,), (Reason.REPEAT,)]
    play.at(2_020.0, finding("a", "closed"))
    play.at(2_030.0, finding("b"))
    assert (play.incident.state, play.incident.acknowledged_by) == ("open", "")


def test_incident_resolved_by_hand_is_told_once_and_its_findings_end_silently() -> None:
    play = Play(Owner(**MAPS))
    play.at(2_000.0, finding("a"))
    play.at(2_010.0, Command(kind="resolve", incident=play.incident.id, by="ada"))
    play.at(2_020.0, finding("a", "closed"))
    assert [one.action for one in play.incident.notifications] == ["trigger", "resolve"]
    assert play.seen.reasons[-1] == (Reason.RESOLVED_BEFORE,)


def test_comment_is_kept_once_and_command_to_nothing_is_named() -> None:
    play = Play(Owner(**MAPS))
    play.at(2_000.0, finding("a"))
    said = Command(kind="comment", incident=play.incident.id, by="ada", text="looking")
    play.at(2_010.0, said, said)
    assert [(one.by, one.text) for one in play.incident.comments] == [("ada", "looking")]
    play.at(2_020.0, Command(kind="acknowledge", incident="inc_none", by="ada"))
    assert play.seen.reasons[-1] == (Reason.NO_SUCH_INCIDENT,)


def berlin(day: int, hour: int, minute: int = 0, month: int = 11) -> float:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN).timestamp()


NIGHT = QuietHours(
    start=time(22), end=time(7), zone="Europe/Berlin", days=("mon", "tue", "wed", "thu", "fri")
)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (berlin(24, 21, 59), None),
        (berlin(24, 22), berlin(25, 7)),
        (berlin(25, 6, 59), berlin(25, 7)),
        (berlin(25, 7), None),
        (berlin(28, 6), berlin(28, 7)),  # Saturday morning belongs to Friday's night
        (berlin(28, 23), None),
    ],
)
def test_quiet_hours_are_local_and_run_over_midnight(at: float, until: float | None) -> None:
    assert NIGHT.until(at) == until


def test_quiet_night_of_the_change_of_clocks_is_an_hour_longer() -> None:
    autumn = QuietHours(start=time(22), end=time(7), zone="Europe/Berlin")
    starts = berlin(24, 22, month=10)
    ends = autumn.until(starts)
    assert ends is not None
    assert ends - starts == 10 * 3_600.0


def test_page_in_quiet_hours_leaves_at_their_end_if_it_is_still_open() -> None:
    play = Play(Owner(**MAPS, quiet=(NIGHT,)))
    play.at(berlin(24, 23), finding("a"))
    assert play.told() == []
    assert play.incident.muted_by == "quiet hours"
    play.at(berlin(25, 9))
    assert play.told() == [("first", berlin(25, 7))]
    short = Play(Owner(**MAPS, quiet=(NIGHT,)))
    short.at(berlin(24, 23), finding("a"))
    short.at(berlin(25, 1), finding("a", "closed"))
    short.at(berlin(25, 9))
    assert short.incident.notifications == ()


SILENCE = Silence(
    name="move", author="ada", reason="data centre moves", starts_at=1_000.0, ends_at=3_000.0, model="eta.*"
)


@pytest.mark.parametrize(
    ("silence", "is_told"),
    [
        (SILENCE, False),
        (msgspec.structs.replace(SILENCE, model="route-*"), True),
        (msgspec.structs.replace(SILENCE, slice="country=D?"), True),
        (msgspec.structs.replace(SILENCE, slice="country=C?"), False),
        (msgspec.structs.replace(SILENCE, starts_at=2_000.5), True),
        (msgspec.structs.replace(SILENCE, ends_at=2_000.0), True),
    ],
)
def test_silence_holds_for_what_it_matches_while_it_lasts(silence: Silence, is_told: bool) -> None:
    play = Play(Owner(**MAPS), silences=(silence,))
    play.at(2_000.0, finding("a"))
    assert bool(play.told()) is is_told


def test_what_is_still_wrong_when_its_silence_ends_is_told() -> None:
    play = Play(Owner(**MAPS), silences=(SILENCE,))
    play.at(2_000.0, finding("a"))
    play.at(3_500.0)
    assert play.told() == [("first", 3_000.0)]
    assert play.seen.reasons == [(Reason.OPENED, Reason.SILENCED), (Reason.RELEASED,)]


WEEKS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Berlin:20261102T090000
DTEND;TZID=Europe/Berlin:20261109T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
SUMMARY:first
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;TZID=Europe/Berlin:20261109T090000
DTEND;TZID=Europe/Berlin:20261116T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
EXDATE;TZID=Europe/Berlin:20261123T090000
SUMMARY:second
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def rota(tmp_path: Path) -> IcalRota:
    (tmp_path / "rota.ics").write_text(WEEKS.replace("\n", "\r\n"), encoding="utf-8")
    found = read(tmp_path / "rota.ics")
    assert found.names == ("first", "second")
    return found


def test_turns_alternate_by_week_with_exceptions(rota: IcalRota) -> None:
    turns = [rota.at(berlin(day, 12)) for day in (3, 10, 17, 24)]
    assert turns == [("first",), ("second",), ("first",), ()]


def test_whoever_has_the_turn_when_it_happens_is_told(rota: IcalRota) -> None:
    owner = Owner(name="maps", models=("eta.*",), receivers=("rota:maps", "boss"))
    play = Play(owner, rotas={"maps": rota})
    play.at(berlin(9, 8, 59), finding("a"))
    assert [name for name, _ in play.told()] == ["first", "boss"]
    later = Play(owner, rotas={"maps": rota})
    later.at(berlin(9, 9), finding("a"))
    assert [name for name, _ in later.told()] == ["second", "boss"]


def test_muted_incident_that_is_acknowledged_stays_untold() -> None:
    play = Play(Owner(**MAPS), silences=(SILENCE,), grouping=Grouping())
    play.at(2_000.0, finding("a"))
    play.at(2_010.0, ack(play))
    play.at(5_000.0)
    assert play.incident.notifications == ()


def hush(play: Play, until: float) -> Command:
    return Command(kind="silence", incident=play.incident.id, by="ada", text="known", until=until)


def test_silenced_incident_is_neither_escalated_nor_repeated_and_told_again_after_it() -> None:
    play = Play(Owner(**MAPS, escalation=STEPS, repeat_s=100.0))
    play.at(2_000.0, finding("a"))
    play.deliver()
    play.at(2_050.0, hush(play, 5_000.0))
    play.at(2_060.0, hush(play, 5_000.0))
    assert play.seen.reasons[-1] == (Reason.REPEAT,)
    play.at(4_999.0, finding("b", slice="all"))
    assert play.told() == [("first", 2_000.0)]
    play.at(5_000.0)
    assert play.told() == [("first", 2_000.0), ("first", 5_000.0)]
    assert len({one.id for one in play.incident.notifications}) == 2
    assert play.incident.muted_by == ""
    play.at(5_300.0)
    assert ("second", 5_300.0) in play.told()


def test_silence_holds_a_ticket_that_becomes_a_page_and_ends_with_an_acknowledgement() -> None:
    play = Play(Owner(**MAPS))
    play.at(2_000.0, finding("a", severity="ticket"))
    play.at(2_050.0, hush(play, 5_000.0), finding("b", slice="all"))
    assert play.told() == []
    play.at(5_000.0)
    assert play.told() == [("first", 5_000.0)]
    play.deliver()
    play.at(5_100.0, hush(play, 9_000.0), ack(play))
    assert play.incident.muted_until is None
    play.at(5_200.0, hush(play, 9_000.0))
    play.at(9_000.0)
    assert play.told() == [("first", 5_000.0)]
    assert play.incident.muted_until is None


def test_ticket_that_was_silenced_says_nothing_of_a_silence_that_is_over() -> None:
    play = Play(Owner(**MAPS))
    play.at(2_000.0, finding("a", severity="ticket"))
    play.at(2_050.0, hush(play, 5_000.0))
    assert "nobody is told until" in render(play.incident, {}, 3_000.0)
    play.at(5_000.0)
    assert (play.incident.muted_by, play.incident.muted_until, play.told()) == ("", None, [])
    assert "nobody is told until" not in render(play.incident, {}, 5_000.0)


def test_what_was_acknowledged_untold_stays_untold_after_a_silence() -> None:
    play = Play(Owner(**MAPS), silences=(SILENCE,))
    play.at(2_000.0, finding("a"))
    play.at(2_010.0, ack(play))
    play.at(2_020.0, hush(play, 9_000.0))
    play.at(9_000.0)
    assert (play.incident.muted_by, play.told()) == ("", [])


@pytest.mark.parametrize("by", ["silence", "quiet hours"])
def test_end_of_a_silence_wakes_nobody_while_something_else_keeps_it_quiet(by: str) -> None:
    night = QuietHours(start=time(0, 50), end=time(1, 40))  # 3,000 to 6,000 epoch seconds
    longer = msgspec.structs.replace(SILENCE, starts_at=3_000.0, ends_at=6_000.0)
    others: dict[str, Any] = {"silences": (longer,)} if by == "silence" else {}
    play = Play(Owner(**MAPS, quiet=() if others else (night,)), **others)
    play.at(2_000.0, finding("a"))
    play.deliver()
    play.at(2_050.0, hush(play, 5_000.0))
    play.at(5_000.0)
    assert play.told() == [("first", 2_000.0)]
    play.at(6_000.0)
    assert play.told() == [("first", 2_000.0), ("first", 6_000.0)]


def test_silence_of_what_is_over_or_that_is_over_itself_changes_nothing() -> None:
    play = Play(Owner(**MAPS))
    play.at(2_000.0, finding("a"))
    play.at(2_050.0, hush(play, 2_050.0))
    assert play.seen.reasons[-1] == (Reason.REPEAT,)
    play.at(2_060.0, finding("a", "closed"), hush(play, 9_000.0))
    assert play.incident.muted_until is None
