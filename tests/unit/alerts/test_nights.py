"""Nights of somebody on call: what joins what is quiet or somebody's already, and changes that come meanwhile."""

from __future__ import annotations

from datetime import time
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from alerts.calendar import QuietHours, Silence
from alerts.command import Command
from alerts.grouping import Grouping, Upstream
from alerts.incident import Incident
from alerts.objective import PACES, Objective
from alerts.outbox import Due
from alerts.owners import Owner, Owners, Step
from alerts.page import history, render
from alerts.silences import SetSilence, wished
from alerts.wording import details, facts, headline
from stream.events import Errors, Finding, Window
from stream.wire import encode
from tests.unit.alerts.samples import APART, Rec, finding, new_book

MAPS = Owner(
    name="maps",
    models=("eta.*",),
    receivers=("first",),
    escalation=(Step(after_s=300.0, receivers=("boss",)),),
)
SILENCE = Silence(
    name="move", author="ada", reason="it moves", starts_at=1_000.0, ends_at=90_000.0, model="eta.city"
)
NIGHT = QuietHours(start=time(0, 50), end=time(1, 40))  # 3,000 to 6,000 epoch seconds
SPANS = sorted({span for pace in PACES for span in (pace.long_s, pace.short_s)})
CITY, LYON = finding("city"), finding("lyon", model="eta.lyon")


class Night:
    """A book on a clock of its own, whose receivers take everything at once."""

    def __init__(self, *owners: Owner, **options: Any) -> None:
        options.setdefault("grouping", Grouping())
        self.owners = Owners(owners=owners or (MAPS,), **options)
        self.stored: dict[bytes, bytes] = {}
        self.start()

    def start(self) -> None:
        """Begin a pager with what the one before has stored."""
        self.book = new_book(owners=self.owners)
        for key, value in self.stored.items():
            self.book.restore(key, value)
        self.book.committed()

    def at(self, now: float, *facts: Finding | Errors | Command | SetSilence) -> None:
        values = [
            encode(one) if isinstance(one, Finding | Errors) else msgspec.json.encode(one) for one in facts
        ]
        self.book.apply([Rec(value, int(now * 1_000)) for value in values])
        self.book.advance(now)
        for _ in range(3):
            self.stored |= {key: value for key, value in self.book.freeze({}).state if value is not None}
            self.book.committed()
            for name in ("first", "second", "boss", "platform"):
                for due in self.book.due(name):
                    self.book.accepted(due, now)

    @property
    def incident(self) -> Incident:
        (only,) = (one for one in self.book.incidents() if one.owner == "maps")
        return only

    def told(self) -> list[tuple[str, float]]:
        return [(one.receiver, one.due_at) for one in self.incident.notifications if one.action == "trigger"]

    def ask(self, kind: Any, **fields: Any) -> Command:
        return Command(kind=kind, incident=self.incident.id, by="ada", **fields)


def test_a_page_that_no_silence_is_about_is_told_though_it_began_together_with_a_silenced_one() -> None:
    night = Night(silences=(SILENCE,))
    night.at(2_000.0, CITY)
    assert night.told() == []
    night.at(2_060.0, LYON)
    assert night.told() == [("first", 2_060.0)]
    assert night.incident.lead.model == "eta.lyon"


def test_a_page_that_no_upstream_explains_is_told_though_it_began_together_with_one_that_is() -> None:
    platform = Owner(name="platform", models=("geo",), receivers=("platform",))
    night = Night(MAPS, platform, upstreams=(Upstream(name="geo", owner="platform", models=("eta.city",)),))
    night.at(2_000.0, finding("geo", model="geo"), CITY)
    assert night.told() == []
    night.at(2_060.0, LYON)
    assert night.told() == [("first", 2_060.0)]


@pytest.mark.parametrize("other", [LYON, finding("zurich", slice="city=ZH")])
def test_a_page_that_is_to_be_quiet_too_changes_nothing(other: Finding) -> None:
    night = Night(silences=(replace(SILENCE, model="eta.*"),))
    night.at(2_000.0, CITY)
    night.at(2_060.0, other)
    assert (night.told(), night.incident.lead.model) == ([], "eta.city")


def test_what_somebody_has_silenced_by_hand_stays_quiet_whatever_joins() -> None:
    night = Night(replace(MAPS, quiet=(QuietHours(start=time(0, 30), end=time(0, 34)),)))
    night.at(2_000.0, CITY)
    night.at(2_010.0, night.ask("silence", text="known", until=9_000.0))
    night.at(2_060.0, LYON)
    assert night.told() == []


def test_a_page_that_joins_in_quiet_hours_is_told_at_their_end_though_the_first_one_is_silenced() -> None:
    night = Night(replace(MAPS, quiet=(NIGHT,)), silences=(SILENCE,))
    night.at(3_100.0, CITY)
    night.at(3_160.0, LYON)
    assert night.told() == []
    night.at(6_000.0)
    assert night.told() == [("first", 6_000.0)]


def test_a_silenced_page_that_joins_does_not_keep_quiet_what_an_upstream_keeps_for_half_an_hour() -> None:
    platform = Owner(name="platform", models=("geo",), receivers=("platform",))
    night = Night(
        MAPS,
        platform,
        upstreams=(Upstream(name="geo", owner="platform", models=("eta.city",)),),
        silences=(replace(SILENCE, model="eta.lyon"),),
    )
    night.at(2_000.0, finding("geo", model="geo"), CITY)
    night.at(2_060.0, LYON)
    night.at(4_000.0)
    assert night.told() == [("first", 3_800.0)]


def test_a_ticket_that_joined_a_silenced_page_is_told_once_its_own_budget_burns() -> None:
    low, high = (tuple(Window(span_s=span, outcomes=100, wrong=n) for span in SPANS) for n in (0, 50))
    night = Night(replace(MAPS, objectives=(Objective(accuracy=0.99),)), silences=(SILENCE,))
    night.at(2_000.0, replace(CITY, windows=high), replace(LYON, windows=low))
    assert (night.incident.severity, night.told()) == ("page", [])
    night.at(2_060.0, Errors(model="eta.lyon", at=1_100.0, windows=high))
    assert night.told() == [("first", 2_060.0)]
    assert night.incident.lead.model == "eta.lyon"


def test_matcher_silence_of_a_ticket_holds_back_no_page_of_another_slice() -> None:
    night = Night()
    night.at(2_000.0, finding("t", severity="ticket"))
    night.at(2_010.0, wished(replace(SILENCE, slice="country=CH")))
    assert night.incident.muted_until == SILENCE.ends_at
    night.at(2_060.0, finding("all", slice="all"))
    assert night.told() == [("first", 2_060.0)]


def test_a_page_that_joins_an_acknowledged_ticket_is_escalated_until_somebody_has_it() -> None:
    night = Night()
    night.at(2_000.0, finding("t", severity="ticket"))
    night.at(2_010.0, night.ask("acknowledge"))
    night.at(3_000.0, finding("all", slice="all"))
    night.at(4_000.0)
    assert night.told() == [("first", 3_000.0), ("boss", 3_300.0)]
    assert (night.incident.state, night.incident.acknowledged_by) == ("open", "")


def test_a_page_that_joins_an_acknowledged_ticket_in_quiet_hours_is_told_at_their_end() -> None:
    night = Night(replace(MAPS, quiet=(NIGHT,)))
    night.at(2_000.0, finding("t", severity="ticket"))
    night.at(2_010.0, night.ask("acknowledge"))
    night.at(3_100.0, finding("all", slice="all"))
    night.at(6_000.0)
    assert night.told() == [("first", 6_000.0)]


def test_nobody_is_escalated_to_or_told_again_in_quiet_hours_that_begin_meanwhile() -> None:
    night = Night(replace(MAPS, quiet=(NIGHT,), repeat_s=600.0))
    night.at(2_900.0, CITY)
    for now in (3_250.0, 3_600.0, 5_999.0):
        night.at(now)
    assert night.told() == [("first", 2_900.0)]
    night.at(6_000.0)
    assert night.told() == [("first", 2_900.0), ("first", 6_000.0)]
    night.at(6_400.0)
    assert night.told()[2:] == [("boss", 6_300.0)]


def test_a_silence_that_the_file_got_meanwhile_stops_escalation_and_repeats() -> None:
    night = Night(replace(MAPS, repeat_s=600.0))
    night.at(2_000.0, CITY)
    night.owners = replace(night.owners, silences=(SILENCE,))
    night.start()
    night.at(9_000.0)
    assert night.told() == [("first", 2_000.0)]


def test_the_first_repeat_after_a_silence_comes_when_the_first_of_all_did() -> None:
    night = Night(replace(MAPS, escalation=(), repeat_s=600.0))
    night.at(2_000.0, CITY)
    for now in (2_600.0, 3_200.0, 3_800.0):
        night.at(now)
    night.at(3_900.0, night.ask("silence", text="known", until=9_000.0))
    night.at(9_000.0)
    night.at(9_700.0)
    assert [at for _, at in night.told()] == [2_000.0, 2_600.0, 3_200.0, 3_800.0, 9_000.0, 9_600.0]


class Turns:
    def at(self, instant: float) -> tuple[str, ...]:
        return ("first",) if instant < 4_000.0 else ("second",)


def test_after_a_change_of_turns_the_one_who_has_the_turn_is_told_too() -> None:
    owner = replace(MAPS, receivers=("rota:maps",), escalation=(), repeat_s=600.0, repeats=5)
    night = Night(owner, rotas={"maps": Turns()})
    night.at(3_900.0, CITY)
    night.at(4_500.0)
    night.at(4_510.0)
    assert [name for name, _ in night.told()] == ["first", "first", "second"]


class Shift:
    def at(self, instant: float) -> tuple[str, ...]:
        return ("pd",) if instant < 4_000.0 else ("second",)


def delivered(night: Night, now: float, receiver: str = "pd") -> None:
    """Have the receiver that was down take what waits for it."""
    for due in list(night.book.due(receiver)):
        night.book.accepted(due, now)
    night.at(now)


SHIFT: dict[str, Any] = {"receivers": ("rota:maps",), "escalation": ()}


def test_a_page_that_is_taken_after_its_turn_has_passed_is_told_to_whoever_has_the_turn_by_then() -> None:
    night = Night(replace(MAPS, **SHIFT), rotas={"maps": Shift()})
    night.at(3_900.0, CITY)
    night.start()  # the pager was down for hours
    delivered(night, 30_000.0)
    assert night.told() == [("pd", 3_900.0), ("second", 30_000.0)]
    night.at(31_000.0, finding("city", "closed"))
    ends = [one.receiver for one in night.incident.notifications if one.action == "resolve"]
    assert ends == ["pd", "second"]


def test_a_page_of_a_passed_turn_wakes_nobody_more_who_is_quiet_or_when_somebody_has_it() -> None:
    late = QuietHours(start=time(8, 0), end=time(9, 0))
    quiet = Night(replace(MAPS, **SHIFT, quiet=(late,)), rotas={"maps": Shift()})
    had = Night(replace(MAPS, **SHIFT), rotas={"maps": Shift()})
    for night in (quiet, had):
        night.at(3_900.0, CITY)
    had.at(3_950.0, had.ask("acknowledge"))
    for night in (quiet, had):
        delivered(night, 30_000.0)
        assert night.told() == [("pd", 3_900.0)]


def test_no_reminder_is_used_up_while_what_was_said_before_still_waits() -> None:
    owner = replace(MAPS, receivers=("pd",), escalation=(), repeat_s=600.0, repeats=2)
    night, ticking = Night(owner), Night(owner)
    for one in (night, ticking):
        one.at(2_000.0, CITY)
    for minute in range(40, 500):
        ticking.at(minute * 60.0)
    for one in (night, ticking):
        one.at(30_000.0)
        assert one.told() == [("pd", 2_000.0)]
        for now in (30_010.0, 30_300.0, 31_000.0, 50_000.0):
            delivered(one, now)
            one.at(now + 1.0)
        assert one.told() == [("pd", 2_000.0), ("pd", 30_200.0), ("pd", 30_800.0)]
    assert night.incident == ticking.incident


def test_who_is_gone_from_the_file_is_not_reminded_while_others_are_there() -> None:
    owner = replace(MAPS, escalation=(), repeat_s=600.0)
    night = Night(owner)
    night.at(2_000.0, CITY)
    changed(night, "second", owner=owner)
    night.at(2_600.0)
    night.at(3_200.0)
    assert [name for name, _ in night.told()] == ["first", "second", "second"]


def test_what_is_quiet_when_its_owner_is_renamed_is_told_to_whoever_answers_then() -> None:
    night = Night(replace(MAPS, quiet=(NIGHT,)))
    night.at(3_100.0, CITY)
    night.owners = replace(night.owners, owners=(replace(MAPS, name="mobility", quiet=(NIGHT,)),))
    night.start()
    night.at(6_000.0)
    assert night.told() == [("first", 6_000.0)]
    night.at(6_400.0)
    assert night.told()[1:] == [("boss", 6_300.0)]


def waiting(night: Night, receiver: str = "pd") -> list[tuple[str, str]]:
    dues = [due for due in night.book.due(receiver) if isinstance(due, Due)]
    return [(due.incident.model, due.notification.action) for due in dues]


def test_what_goes_on_leaves_before_what_is_over_when_a_receiver_is_back_also_after_a_restart() -> None:
    night = Night(replace(MAPS, receivers=("pd",), escalation=()), grouping=APART)
    for number in range(3):
        night.at(2_000.0 + number, finding(f"s{number}", model=f"eta.{number}"))
        night.at(2_100.0 + number, finding(f"s{number}", "closed", model=f"eta.{number}"))
    night.at(3_000.0, CITY)
    night.at(3_001.0, LYON)
    wanted = [("eta.city", "trigger"), ("eta.lyon", "trigger"), *((f"eta.{n}", "trigger") for n in range(3))]
    assert waiting(night) == wanted
    night.stored = dict(sorted(night.stored.items(), reverse=True))
    night.start()
    assert waiting(night) == wanted


def test_what_is_over_is_said_to_be_over_before_the_next_that_is_over_rings() -> None:
    night = Night(replace(MAPS, receivers=("pd",), escalation=()), grouping=APART)
    for number in range(3):
        night.at(2_000.0 + number, finding(f"s{number}", model=f"eta.{number}"))
        night.at(2_100.0 + number, finding(f"s{number}", "closed", model=f"eta.{number}"))
    night.start()
    said = []
    while due := next(iter(night.book.due("pd")), None):
        said += waiting(night)[:1]
        night.book.accepted(due, 30_000.0)
        night.at(30_000.0)
    assert said == [(f"eta.{number}", action) for number in range(3) for action in ("trigger", "resolve")]


def changed(night: Night, *receivers: str, owner: Owner = MAPS, now: float = 2_100.0) -> None:
    """Start a pager whose file has the owner with other receivers."""
    night.owners = Owners(
        owners=(replace(owner, receivers=receivers),), known=frozenset((*receivers, "boss")), grouping=APART
    )
    night.start()
    night.at(now)


def test_a_page_that_waits_for_a_receiver_that_is_gone_is_told_to_the_ones_there_are() -> None:
    night = Night(replace(MAPS, receivers=("broken",)))
    night.at(2_000.0, CITY)
    changed(night, "second")
    assert night.told() == [("broken", 2_000.0), ("second", 2_000.0)]
    night.at(2_400.0)
    assert night.told()[2:] == [("boss", 2_300.0)]
    changed(night, "broken", "second", now=2_500.0)
    assert waiting(night, "broken") == [("eta.city", "trigger")]


def test_a_page_of_an_owner_who_had_no_receivers_is_told_when_it_has() -> None:
    night = Night(replace(MAPS, receivers=(), escalation=()))
    night.at(2_000.0, CITY)
    changed(night, "second")
    assert night.told() == [("second", 2_000.0)]


@pytest.mark.parametrize("action", ["acknowledge", "resolve", "comment"])
def test_other_receivers_change_nothing_for_what_somebody_has_heard_of_or_has_done_with(action: str) -> None:
    night = Night(replace(MAPS, receivers=("first" if action == "comment" else "broken",), escalation=()))
    night.at(2_000.0, CITY)
    night.at(2_010.0, night.ask(action, text="looking"))
    before = night.told()
    changed(night, "second")
    assert night.told() == before


def test_an_end_by_hand_says_whose_it_is_and_that_the_harm_goes_on() -> None:
    night = Night()
    night.at(2_000.0, CITY)
    night.at(2_100.0, night.ask("resolve"))
    assert headline(night.incident, "resolve", 40).startswith("Resolved by ada: ")
    assert ("Resolved by", "ada") in facts(night.incident, "resolve")
    assert details(night.incident, "resolve")["resolved_by"] == "ada"
    assert details(night.incident, "trigger")["resolved_by"] is None
    page = render(night.incident, {}, 2_200.0)
    assert "Resolved by ada, 1970-01-01 00:35:00 UTC; 1 finding goes on." in page
    assert "Over since" not in page
    night.at(5_000.0, replace(CITY, state="closed", closed_at=4_990.0))
    assert (2_100.0, "resolved by ada") in history(night.incident)
    assert "goes on" not in render(night.incident, {}, 5_100.0)
    night.at(5_100.0, finding("again"))
    assert (night.incident.episode, night.incident.resolved_by) == (2, "")
    night.at(5_200.0, finding("again", "closed"))
    assert headline(night.incident, "resolve", 40).startswith("Resolved: ")


def test_a_page_after_quiet_hours_speaks_of_what_goes_on_not_of_what_is_over_by_then() -> None:
    night = Night(replace(MAPS, quiet=(NIGHT,)))
    dropped = replace(LYON, metric="recall", label="late", before=0.8, after=0.4)
    night.at(3_100.0, CITY, dropped, finding("drift", severity="ticket", metric="psi", feature="age"))
    night.at(3_500.0, replace(CITY, state="closed", closed_at=3_450.0))
    night.at(6_000.0)
    lead = night.incident.lead
    assert (lead.id, lead.model, lead.metric, lead.label) == ("lyon", "eta.lyon", "recall", "late")
    assert (lead.before, lead.after, lead.onset_at) == (0.8, 0.4, LYON.onset_at)
    assert "Outcomes since" not in dict(facts(night.incident, "trigger"))
    assert night.told() == [("first", 6_000.0)]


def test_a_page_that_is_told_again_after_a_silence_speaks_of_what_goes_on() -> None:
    night = Night()
    night.at(2_000.0, CITY, LYON)
    night.at(2_100.0, night.ask("silence", text="known", until=5_000.0))
    night.at(2_200.0, replace(CITY, state="closed", closed_at=2_190.0))
    night.at(5_000.0)
    assert night.incident.lead.model == "eta.lyon"


def test_a_pager_that_was_away_for_a_whole_silence_decides_as_one_that_was_there() -> None:
    wish = wished(replace(SILENCE, starts_at=2_100.0, ends_at=2_400.0))
    there, away = Night(), Night()
    for night in (there, away):
        night.at(2_000.0, CITY)
        night.at(2_010.0, wish)
    for now in (2_300.0, 2_400.0, 2_700.0):
        there.at(now)
    away.at(2_710.0)
    assert there.told() == away.told() == [("first", 2_000.0), ("first", 2_400.0), ("boss", 2_700.0)]
