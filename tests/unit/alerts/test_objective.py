"""Severity from harm: burn rates of an objective, and tickets that become pages as errors go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts.book import IncidentBook
from alerts.command import Command
from alerts.config import OwnersError, load
from alerts.grouping import Grouping
from alerts.incident import Incident
from alerts.objective import DAY_S, PACES, Objective
from alerts.owners import Owner, Owners
from alerts.page import render
from alerts.reason import Reason
from alerts.receivers.slack import FIELDS
from alerts.wording import details, facts
from stream.events import Errors, Window
from tests.unit.alerts.samples import APART, MAPS, Rec, Seen, finding, new_book, record

SPANS_S = (300.0, 1_800.0, 3_600.0, 21_600.0, 259_200.0)
TIGHT = Objective(accuracy=0.99, models=("eta.*",))
WATCHED = Owners(owners=(replace(MAPS, objectives=(TIGHT,)),), default=Owner(name="rest"), grouping=APART)


def windows(*wrong: float) -> tuple[Window, ...]:
    """Windows with these shares of wrong outcomes, shortest first."""
    return tuple(
        Window(span_s=span_s, outcomes=1_000, wrong=round(1_000 * share))
        for span_s, share in zip(SPANS_S, wrong, strict=True)
    )


def errors(*wrong: float, model: str = "eta.city") -> Errors:
    return Errors(model=model, at=1_100.0, windows=windows(*wrong), proven_at=2_000.0)


@pytest.mark.parametrize(
    ("wrong", "severity", "reason"),
    [
        ((0.145, 0, 0.145, 0, 0), "page", Reason.BURNS_FAST),
        ((0.143, 0, 1.0, 0, 0), "ticket", Reason.WITHIN_BUDGET),
        ((1.0, 0, 0.143, 0, 0), "ticket", Reason.WITHIN_BUDGET),
        ((0, 0.061, 0, 0.061, 0), "page", Reason.BURNS),
        ((0, 0.059, 0, 1.0, 0), "ticket", Reason.WITHIN_BUDGET),
        ((0, 0, 0, 0.011, 0.011), "ticket", Reason.SMOULDERS),
        ((0, 0, 0, 0.009, 1.0), "ticket", Reason.WITHIN_BUDGET),
    ],
)
def test_harm_is_as_severe_as_the_budget_burns_over_both_windows(wrong, severity, reason):
    verdict = TIGHT.judge(windows(*wrong))
    assert verdict is not None
    assert (verdict.severity, verdict.reason) == (severity, reason)


def test_the_rates_of_thirty_days_are_those_of_the_workbook():
    assert [pace.rate(30 * DAY_S) for pace in PACES] == pytest.approx([14.4, 6.0, 1.0])


@given(st.floats(DAY_S, 90 * DAY_S), st.floats(0.01, 0.999))
def test_what_spends_no_more_than_the_budget_never_pages(period_s, accuracy):
    objective = Objective(accuracy=accuracy, period_s=period_s)
    allowed = 0.999 * (1.0 - accuracy)
    verdict = objective.judge(
        tuple(Window(span_s=span_s, outcomes=10**9, wrong=int(allowed * 10**9)) for span_s in SPANS_S)
    )
    assert verdict is not None
    assert verdict.severity == "ticket"


def test_windows_without_outcomes_burn_nothing():
    empty = tuple(Window(span_s=span_s, outcomes=0, wrong=0) for span_s in SPANS_S)
    verdict = TIGHT.judge(empty)
    assert verdict is not None
    assert verdict.reason is Reason.WITHIN_BUDGET


class Life:
    """A book with an objective, and what it says."""

    def __init__(self, owners: Owners = WATCHED) -> None:
        self.seen = Seen()
        self.book: IncidentBook = new_book(self.seen, owners=owners)

    def take(self, fact) -> tuple[Reason, ...]:
        self.book.apply([Rec(record(fact).value, timestamp=2_000_000)])
        return self.seen.reasons[-1]

    def only(self) -> Incident:
        (incident,) = self.book.incidents()
        return incident

    def triggers(self) -> list[str]:
        return [one.receiver for one in self.only().notifications if one.action == "trigger"]


def test_harm_within_the_budget_is_a_ticket_whatever_the_finding_says():
    life = Life()
    reasons = life.take(finding(windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)))
    assert reasons == (Reason.OPENED, Reason.TICKET_NOT_PAGED, Reason.WITHIN_BUDGET)
    assert (life.only().severity, life.triggers()) == ("ticket", [])


def test_harm_that_burns_the_budget_pages_at_once():
    life = Life()
    assert Reason.BURNS_FAST in life.take(finding(windows=windows(0.5, 0.5, 0.5, 0.1, 0.1)))
    assert (life.only().severity, life.triggers()) == ("page", ["maps-hook", "maps-pd"])


def test_a_ticket_pages_once_when_its_errors_go_on():
    life = Life()
    life.take(finding(windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)))
    assert life.take(errors(0.5, 0.3, 0.14, 0.02, 0.01)) == (Reason.WITHIN_BUDGET, Reason.TICKET_NOT_PAGED)
    assert life.triggers() == []
    assert Reason.ESCALATED in life.take(errors(0.5, 0.4, 0.15, 0.03, 0.01))
    assert life.only().lead.windows == errors(0.5, 0.4, 0.15, 0.03, 0.01).windows
    paged = life.only()
    assert life.take(errors(0.6, 0.5, 0.2, 0.04, 0.01)) == (Reason.BURNS_FAST, Reason.ALREADY_OPEN)
    assert life.only() == paged
    assert life.triggers() == ["maps-hook", "maps-pd"]


def test_an_incident_that_became_a_page_resolves_when_its_finding_closes():
    life = Life()
    life.take(finding(windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)))
    life.take(errors(0.5, 0.4, 0.15, 0.03, 0.01))
    life.take(finding(state="closed", windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)))
    assert life.only().state == "resolved"
    assert [one.action for one in life.only().notifications] == ["trigger"] * 2 + ["resolve"] * 2


@pytest.mark.parametrize(
    "first",
    [
        finding("a", windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)),
        finding("a", severity="ticket", metric="psi", feature="distance"),
    ],
    ids=["a slice that is well again", "a drift"],
)
def test_a_page_speaks_of_the_loss_that_goes_on_and_ends_with_it(first):
    life = Life()
    life.take(first)
    life.take(finding("b", slice="all", windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)))
    if first.metric == "accuracy":
        life.take(finding("a", "closed"))
    assert Reason.ESCALATED in life.take(errors(0.5, 0.4, 0.15, 0.03, 0.01))
    lead = life.only().lead
    assert (lead.id, lead.slice, lead.metric, lead.feature) == ("b", "all", "accuracy", None)
    assert "of how many outcomes is not known" in render(life.only(), {}, 2_000.0)
    life.take(finding("b", "closed", slice="all"))
    assert life.only().state == "resolved"


def test_a_ticket_that_was_resolved_by_hand_is_reopened_when_its_errors_go_on():
    life = Life()
    life.take(finding(windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)))
    by_hand = Command(kind="resolve", incident=life.only().id, by="ada")
    life.book.apply([Rec(b'{"type":"command",' + _fields(by_hand), timestamp=2_001_000)])
    assert life.only().state == "resolved"
    assert Reason.REOPENED in life.take(errors(0.5, 0.4, 0.15, 0.03, 0.01))
    assert (life.only().state, life.only().episode, life.triggers()) == ("open", 2, ["maps-hook", "maps-pd"])


def _fields(command: Command) -> bytes:
    return f'"kind":"{command.kind}","incident":"{command.incident}","by":"{command.by}"}}'.encode()


def test_errors_of_a_model_that_is_well_again_change_nothing():
    life = Life()
    life.take(finding(windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)))
    life.take(finding(state="closed"))
    before = life.only()
    assert life.take(errors(0.5, 0.4, 0.15, 0.03, 0.01)) == (Reason.NO_SUCH_INCIDENT,)
    assert life.only() == before


def test_without_an_objective_a_finding_keeps_its_own_severity():
    life = Life(Owners(owners=(MAPS,), default=Owner(name="rest"), grouping=APART))
    life.take(finding(windows=windows(0, 0, 0, 0, 0)))
    assert life.only().severity == "page"
    assert life.take(errors(1, 1, 1, 1, 1)) == (Reason.NO_OBJECTIVE,)


def test_a_finding_of_an_older_worker_keeps_its_own_severity():
    life = Life()
    life.take(finding())
    assert (life.only().severity, life.only().objective) == ("page", "")


@pytest.mark.parametrize("order", ["sl", "ls"])
def test_a_page_by_errors_is_not_about_a_shadow(order):
    """None of these errors are its own, and it has nothing to do with how long they go on."""
    shadow = finding("s", version="v8", severity="ticket", before=0.99, after=0.2)
    live = finding("l", windows=windows(0.5, 0.1, 0.05, 0.01, 0.001))
    life = Life()
    for one in order:
        life.take(shadow if one == "s" else live)
    assert life.only().severity == "ticket"
    assert Reason.ESCALATED in life.take(errors(0.5, 0.4, 0.15, 0.03, 0.01))
    assert (life.only().lead.id, life.only().lead.version) == ("l", live.version)
    life.take(replace(shadow, state="closed"))
    assert life.only().state == "open"
    life.take(finding("l", "closed"))
    assert life.only().state == "resolved"


def test_errors_that_come_again_change_nothing():
    once, twice = Life(), Life()
    for fact in (finding(windows=windows(0.5, 0, 0, 0, 0)), errors(0.5, 0.4, 0.15, 0.03, 0.01)):
        once.take(fact)
        twice.take(fact)
        twice.take(fact)
    assert twice.only() == once.only()


def test_the_objective_is_said_in_a_notification():
    life = Life()
    life.take(finding(windows=windows(0.5, 0.5, 0.2, 0.1, 0.1)))
    said = "accuracy 0.99 over 30 days: errors come 20 times as fast as allowed over 1 h, 50 times over 5 min"
    assert ("Objective", said) in facts(life.only(), "trigger")
    assert details(life.only(), "trigger")["objective"] == said
    resolved = replace(
        life.only(), resolved_at=1.0, children={name: life.only().children["eta.city"] for name in "ab"}
    )
    assert len(facts(resolved, "resolve")) <= FIELDS


def test_an_objective_is_read_from_the_owners_file(tmp_path):
    path = tmp_path / "owners.toml"
    path.write_text(
        '[[owner]]\nname = "maps"\nmodels = ["eta.*"]\n'
        '[[owner.objective]]\nmodels = ["eta.city"]\naccuracy = 0.95\n'
        '[default_owner]\nname = "rest"\n',
        encoding="utf-8",
    )
    owners = load(path, {}).owners
    assert owners.objective_of("eta.city") == Objective(accuracy=0.95, models=("eta.city",))
    assert owners.objective_of("eta.bus") is None


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ("accuracy = 1.0", "default_owner.objective.0.accuracy: Input should be less than 1"),
        (
            "accuracy = 0.8",
            "period_s: want a shorter one; with this nobody is paged if all outcomes are wrong",
        ),
        ("accuracy = 0.9\nperiod_s = 3600", "period_s: Input should be greater than or equal to 86400"),
    ],
)
def test_an_objective_that_can_never_page_is_a_fault(tmp_path, fields, fault):
    path = tmp_path / "owners.toml"
    path.write_text(
        f'[default_owner]\nname = "rest"\n[[default_owner.objective]]\n{fields}\n', encoding="utf-8"
    )
    with pytest.raises(OwnersError) as refused:
        load(path, {})
    assert fault in str(refused.value)


def test_a_page_says_the_burn_of_the_model_that_it_speaks_of():
    life = Life(replace(WATCHED, grouping=Grouping()))
    life.take(finding("a", windows=windows(0.5, 0.5, 0.2, 0.1, 0.1)))
    said = life.only().objective
    life.take(finding("b", model="eta.lyon", windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)))
    assert (life.only().lead.id, life.only().objective) == ("a", said)


def test_a_ticket_says_the_burn_of_the_model_that_it_speaks_of():
    life = Life(replace(WATCHED, grouping=Grouping()))
    low = windows(0.5, 0.1, 0.05, 0.01, 0.001)
    for name in ("eta.city", "eta.lyon"):
        life.take(finding(name, model=name, windows=low))
    said = life.only().objective
    life.take(replace(errors(0.5, 0.3, 0.14, 0.02, 0.01), model="eta.lyon"))
    assert life.only().objective == said
    life.take(replace(errors(0.5, 0.4, 0.15, 0.03, 0.01), model="eta.lyon"))
    assert (life.only().lead.model, life.only().objective != said) == ("eta.lyon", True)


def test_a_relapse_of_another_kind_says_no_burn_of_the_time_before():
    life = Life(replace(WATCHED, grouping=Grouping()))
    life.take(finding("a", windows=windows(0.5, 0.5, 0.2, 0.1, 0.1)))
    life.take(finding("a", "closed"))
    life.take(finding("r", metric="recall", label="late"))
    assert (life.only().episode, life.only().objective) == (2, "")


def test_a_ticket_of_an_owner_who_was_renamed_pages_when_its_errors_go_on():
    life = Life()
    life.take(finding(windows=windows(0.5, 0.1, 0.05, 0.01, 0.001)))
    (kept,) = [value for _, value in life.book.freeze({}).state if value is not None]
    (maps,) = WATCHED.owners
    later = Life(replace(WATCHED, owners=(replace(maps, name="mobility"),)))
    later.book.restore(life.only().id.encode(), kept)
    assert Reason.ESCALATED in later.take(errors(0.5, 0.4, 0.15, 0.03, 0.01))
    assert later.triggers() == ["maps-hook", "maps-pd"]
