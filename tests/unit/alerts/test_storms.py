"""One outage is one incident per owner, in whatever order its findings come."""

from __future__ import annotations

import time
from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from alerts.command import Command, Kind
from alerts.grouping import Grouping, Upstream, harm
from alerts.incident import Incident
from alerts.owners import Owner, Owners
from alerts.reason import Reason
from stream.events import Finding
from stream.wire import encode
from tests.unit.alerts.samples import Rec, Seen, finding, new_book

TEAMS = tuple(f"team{number}" for number in range(10))
OWNERS = tuple(Owner(name=team, models=(f"{team}.*",), receivers=(f"{team}-pd",)) for team in TEAMS)
PLATFORM = Owner(name="platform", models=("geo",), receivers=("platform-pd",))
UPSTREAM = Upstream(name="geo", owner="platform", models=("team*",))


class Play:
    """A book whose time is told to it; ``pages`` counts triggers by owner."""

    def __init__(self, *upstreams: Upstream, grouping: Grouping | None = None) -> None:
        self.seen = Seen()
        owners = Owners(owners=(*OWNERS, PLATFORM), upstreams=upstreams, grouping=grouping or Grouping())
        self.book = new_book(self.seen, owners=owners)
        self.book.committed()

    def at(self, now: float, *findings: Finding) -> None:
        self.book.apply([Rec(encode(fact), int(now * 1000)) for fact in findings])
        self.book.advance(now)

    def said(self, action: str = "trigger") -> Counter[str]:
        told = [(one.owner, n.action) for one in self.book.incidents() for n in one.notifications]
        return Counter(owner for owner, said in told if said == action)

    def of(self, owner: str) -> list[Incident]:
        return [one for one in self.book.incidents() if one.owner == owner]


def children(count: int, state: str = "open", per_team: int = 1) -> list[Finding]:
    models = [f"{TEAMS[number % count]}.m{number}" for number in range(count * per_team)]
    return [
        finding(f"c/{model}", state, model=model, onset_at=1_000.0 + number % 60)
        for number, model in enumerate(models)
    ]


def parent(state: str = "open") -> Finding:
    return finding("p", state, model="geo", onset_at=990.0)


@pytest.mark.parametrize("upstreams", [(), (UPSTREAM,)], ids=["unknown cause", "known cause"])
@pytest.mark.parametrize("seed", range(3))
def test_thousand_models_of_ten_teams_page_each_owner_once_at_most(
    upstreams: tuple[Upstream, ...], seed: int
) -> None:
    storm = children(10, per_team=100)
    Random(seed).shuffle(storm)
    play = Play(*upstreams)
    began = time.monotonic()
    for number, fact in enumerate(storm):
        play.at(2_000.0 + number * 0.003, fact)
    took_s = time.monotonic() - began
    assert max(play.said().values()) == 1
    assert sum(play.said().values()) <= 11
    assert play.said()["platform"] == len(upstreams)
    for team in TEAMS:
        (incident,) = play.of(team)
        assert len(incident.children) == 100
    assert took_s < 20.0
    for fact in storm:
        play.at(2_100.0, finding(fact.id, "closed", model=fact.model))
    assert play.said("resolve") == play.said()
    assert all(one.state == "resolved" for one in play.book.incidents())


def test_upstream_first_pages_its_owner_alone() -> None:
    play = Play(UPSTREAM)
    play.at(2_000.0, parent())
    play.at(2_003.0, *children(10))
    assert play.said() == {"platform": 1}
    assert play.seen.reasons[-1][:2] == (Reason.OPENED, Reason.INHIBITED)
    (cause,) = play.of("platform")
    assert len(cause.children) == 11


def test_models_first_page_each_owner_once_and_the_upstream_once() -> None:
    play = Play(UPSTREAM)
    play.at(2_000.0, *children(2))
    assert play.said() == {"team0": 1, "team1": 1}
    play.at(2_003.0, parent())
    play.at(2_004.0, *children(10))
    assert play.said() == {"team0": 1, "team1": 1, "platform": 1}


@pytest.mark.parametrize("first", ["upstream", "models"])
def test_upstream_of_the_same_owner_pages_once_in_either_order(first: str) -> None:
    play = Play(Upstream(name="geo", owner="team0", models=("team0.*",)))
    models = [finding(f"c{number}", model=f"team0.m{number}") for number in range(10)]
    for moment, facts in enumerate([[parent()], models] if first == "upstream" else [models, [parent()]]):
        play.at(2_000.0 + moment, *facts)
    assert play.said() == {"team0": 1}
    for moment, facts in enumerate(
        [[parent("closed")], [finding(one.id, "closed", model=one.model) for one in models]]
    ):
        play.at(2_060.0 + moment, *facts)
    assert play.said() == play.said("resolve") == {"team0": 1}


def test_upstream_that_resolves_before_its_models_wakes_nobody() -> None:
    play = Play(UPSTREAM)
    play.at(2_000.0, parent())
    play.at(2_001.0, *children(10))
    play.at(2_100.0, parent("closed"))
    assert play.said() == {"platform": 1}
    assert play.said("resolve") == {}
    play.at(2_200.0, *children(10, "closed"))
    assert play.said() == play.said("resolve") == {"platform": 1}


def test_model_that_stays_bad_is_told_to_its_owner_after_all_at_its_nominal_instant() -> None:
    play = Play(UPSTREAM)
    play.at(2_000.0, parent())
    play.at(2_001.0, *children(2))
    play.at(2_100.0, parent("closed"), children(2, "closed")[0])
    play.at(2_001.0 + 1_799.0)
    assert play.said() == {"platform": 1}
    play.at(9_000.0)
    assert play.said() == {"platform": 1, "team1": 1}
    (incident,) = play.of("team1")
    assert incident.notifications[0].due_at == 2_001.0 + 1_800.0
    assert play.seen.reasons[-1] == (Reason.RELEASED,)


def test_one_model_alone_does_not_accuse_its_upstream() -> None:
    play = Play(UPSTREAM)
    play.at(2_000.0, *children(2))
    assert play.said() == {"team0": 1, "team1": 1}
    (cause,) = play.of("platform")
    assert (cause.severity, cause.notifications) == ("ticket", ())


def test_tickets_do_not_accuse_an_upstream() -> None:
    play = Play(UPSTREAM)
    play.at(2_000.0, *(replace(one, severity="ticket") for one in children(5)))
    assert play.said() == {}
    assert play.of("platform") == []


def test_what_began_at_another_time_is_another_incident() -> None:
    play = Play()
    play.at(2_000.0, finding("a", model="team0.a", onset_at=1_000.0))
    play.at(2_001.0, finding("b", model="team0.b", onset_at=1_301.0))
    play.at(2_002.0, finding("c", model="team0.c", onset_at=1_299.0))
    assert play.said() == {"team0": 2}
    assert [sorted(one.children) for one in play.of("team0")] == [["team0.a", "team0.c"], ["team0.b"]]


def test_relapse_reopens_within_its_window_and_opens_anew_after_it() -> None:
    play = Play()
    play.at(2_000.0, finding("a1", model="team0.a"))
    play.at(2_100.0, finding("a1", "closed", model="team0.a"))
    play.at(2_900.0, finding("a2", model="team0.a"))
    (incident,) = play.book.incidents()
    assert (incident.state, incident.episode) == ("open", 2)
    assert [(one.action, one.episode) for one in incident.notifications] == [
        ("trigger", 1),
        ("resolve", 1),
        ("trigger", 2),
    ]
    assert len({one.id for one in incident.notifications}) == 3
    play.at(2_950.0, finding("a2", "closed", model="team0.a"))
    play.at(3_900.0, finding("a3", model="team0.a"))
    assert len(play.of("team0")) == 2


def test_flapping_is_one_notification_until_it_is_quiet() -> None:
    play = Play()
    for number in range(50):
        play.at(2_000.0 + 20 * number, finding(f"f{number}", model="team0.a"))
        play.at(2_010.0 + 20 * number, finding(f"f{number}", "closed", model="team0.a"))
    assert play.said() == {"team0": 3}
    assert play.said("resolve") == {"team0": 2}
    assert [reasons for reasons in play.seen.reasons if Reason.FLAPPING in reasons] == [
        (Reason.REOPENED, Reason.FLAPPING)
    ]
    play.at(2_990.0 + 899.0)
    assert play.said("resolve") == {"team0": 2}
    play.at(2_990.0 + 901.0)
    assert play.said("resolve") == {"team0": 3}


def test_hold_keeps_an_incident_open_over_a_short_calm() -> None:
    play = Play(grouping=Grouping(hold_s=60.0))
    play.at(2_000.0, finding("a", model="team0.a"))
    play.at(2_100.0, finding("a", "closed", model="team0.a"))
    play.at(2_159.0, finding("b", model="team0.a"))
    play.at(2_200.0, finding("b", "closed", model="team0.a", closed_at=2_199.0))
    assert play.said("resolve") == {}
    play.at(2_300.0)
    (incident,) = play.book.incidents()
    assert (incident.state, incident.resolved_at, incident.changed_at) == ("resolved", 2_199.0, 2_260.0)
    assert play.said() == play.said("resolve") == {"team0": 1}


@pytest.mark.parametrize(
    ("fact", "times"),
    [
        (finding("a", before=0.9, after=0.8), 2.0),
        (finding("a", metric="mae", before=2.0, after=5.0), 2.5),
        (finding("a", before=1.0, after=0.9), 1e9),
        (finding("a", before=float("nan")), 0.0),
    ],
)
def test_harm_is_how_many_times_the_loss_got_larger(fact: Finding, times: float) -> None:
    assert harm(fact) == pytest.approx(times)


def spread(count: int, width_s: float, *, apart_s: float = 600.0) -> list[Finding]:
    """Return pages of one team's models: onsets ``apart_s`` from each other, each known to ``width_s``."""
    onsets = [100_000.0 + apart_s * number for number in range(count)]
    return [
        replace(
            finding(f"c{number}", model=f"team0.m{number}", onset_at=at),
            onset_after=at - width_s,
            onset_before=at + width_s,
        )
        for number, at in enumerate(onsets)
    ]


def test_models_whose_onsets_nobody_knows_to_minutes_are_three_pages_at_most() -> None:
    play, storm = Play(), spread(30, 4 * 3_600.0)
    Random(1).shuffle(storm)
    for number, fact in enumerate(storm):
        play.at(120_000.0 + 60.0 * number, fact)
    assert play.said() == {"team0": 3}
    assert sum(len(one.children) for one in play.of("team0")) == 30
    play.at(200_000.0, *(replace(one, state="closed") for one in storm))
    assert play.said("resolve") == {"team0": 3}


@pytest.mark.parametrize(("width_s", "apart_s"), [(200.0, 600.0), (40_000.0, 22_000.0)])
def test_models_that_became_worse_at_different_times_are_a_page_each(width_s: float, apart_s: float) -> None:
    play = Play()
    play.at(300_000.0, *spread(6, width_s, apart_s=apart_s))
    assert play.said() == {"team0": 6}


@pytest.mark.parametrize("kind", ["acknowledge", "silence"])
def test_a_storm_that_somebody_has_takes_further_models_but_not_one_that_is_to_be_quiet(kind: Kind) -> None:
    play, storm = Play(), spread(4, 4 * 3_600.0)
    play.at(120_000.0, *storm[:3])
    for one in play.of("team0"):
        wish = Command(kind=kind, incident=one.id, by="ada", until=700_000.0)
        play.book.apply([Rec(encode(wish), 121_000_000)])
    play.at(122_000.0, storm[3])
    assert play.said() == {"team0": 3 if kind == "acknowledge" else 4}


def test_a_relapse_is_told_while_a_storm_of_others_goes_on() -> None:
    play, storm = Play(), spread(30, 4 * 3_600.0)
    play.at(120_000.0, *storm)
    (alone,) = (one for one in play.of("team0") if len(one.children) == 1 and storm[1].id in one.findings)
    play.at(121_000.0, replace(storm[1], state="closed"))
    assert play.said("resolve") == {"team0": 1}
    play.at(121_300.0, replace(storm[1], id="again", onset_at=storm[1].onset_at + 3_000.0))
    assert [one.episode for one in play.of("team0") if one.id == alone.id] == [2]
    assert play.said() == {"team0": 4}


def test_what_is_over_but_for_its_hold_is_no_storm() -> None:
    play, storm = Play(grouping=Grouping(hold_s=3_600.0)), spread(4, 4 * 3_600.0)
    play.at(120_000.0, *storm[:3])
    play.at(121_000.0, *(replace(one, state="closed") for one in storm[:3]))
    play.at(122_000.0, storm[3])
    assert play.said() == {"team0": 4}


def test_what_may_have_begun_together_is_a_page_each_where_that_rule_is_off() -> None:
    play = Play(grouping=Grouping(together_s=0))
    play.at(200_000.0, *spread(6, 4 * 3_600.0))
    assert play.said() == {"team0": 6}


def test_tickets_are_no_storm_that_keeps_a_page_quiet() -> None:
    play, storm = Play(), spread(4, 4 * 3_600.0)
    tickets = [replace(one, severity="ticket") for one in storm[:3]]
    play.at(200_000.0, *tickets, storm[3])
    assert play.said() == {"team0": 1}
