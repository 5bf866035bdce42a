"""The verdict on the company: each kind of difference is told in words, and nothing else is."""

import copy

import pytest

from stream.demo.fleet import Plan
from stream.demo.verdict import Received, differences, strays

AT = 1_764_000_000.0
PLAN = Plan("eta.br", "v7", "tier=airport", "maps", "mae", AT, AT + 20)


def body(kind: str, **changes: object) -> dict[str, object]:
    told = {
        "owner": "maps",
        "model": "eta.br",
        "version": "v7",
        "slice": "tier=airport",
        "metric": "mae",
        "state": "open",
        "before": 4.0,
        "after": 16.0,
        "onset_at": AT + 2,
        "dedup_key": "k1",
    }
    return {"type": f"incident.{kind}", "data": told | changes}


def hook(kind: str, at: float, team: str = "maps", signed: bool = True, **changes: object) -> Received:
    return Received(team, "webhook", at, body(kind, **changes), signed)


def duty(action: str, at: float, key: str = "k1") -> Received:
    return Received("maps", "pagerduty", at, {"event_action": action, "dedup_key": key}, True)


def good() -> list[Received]:
    return [
        hook("opened", AT + 5),
        duty("trigger", AT + 5),
        hook("resolved", AT + 30),
        duty("resolve", AT + 30),
    ]


def test_one_page_and_its_resolve_to_the_right_team_differ_in_nothing():
    assert differences(PLAN, good()) == []


def test_webhook_and_pagerduty_may_come_in_any_order():
    swapped = [good()[index] for index in (1, 0, 3, 2)]
    assert differences(PLAN, swapped) == []


def test_silence_is_told_with_what_was_wanted():
    assert differences(PLAN, []) == [
        "0 pages came (none), want 1: eta.br v7 in tier=airport to maps",
        "0 resolves came (none), want 1: eta.br v7 in tier=airport to maps",
    ]


def test_a_missing_resolve_is_told():
    (told,) = differences(PLAN, good()[:2])
    assert told.startswith("0 resolves came")


def test_a_second_page_is_told_by_name():
    more = [hook("opened", AT + 6, model="eta.us", dedup_key="k2"), duty("trigger", AT + 6, "k2")]
    (told,) = differences(PLAN, good() + more)
    assert told.startswith(
        "2 pages came (eta.br v7 in tier=airport to maps; eta.us v7 in tier=airport to maps)"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("owner", "growth"),
        ("model", "eta.us"),
        ("version", "v8"),
        ("slice", "all"),
        ("metric", "accuracy"),
        ("state", "resolved"),
    ],
)
def test_each_wrong_field_of_the_page_is_told_with_both_values(field, value):
    received = copy.deepcopy(good())
    wanted = received[0].body["data"][field]
    received[0].body["data"][field] = value
    assert f"the page's {field} is {value!r}, want {wanted!r}" in differences(PLAN, received)


@pytest.mark.parametrize(("late_s", "is_told"), [(-29, False), (29, False), (31, True), (-31, True)])
def test_an_onset_far_from_the_degradation_is_told(late_s, is_told):
    received = good()
    received[0].body["data"]["onset_at"] = AT + late_s
    assert any("onset" in told for told in differences(PLAN, received)) is is_told


@pytest.mark.parametrize(("metric", "after"), [("mae", 3.0), ("accuracy", 5.0)])
def test_a_page_about_an_improvement_is_told(metric, after):
    received = good()
    received[0].body["data"] |= {"metric": metric, "after": after}
    plan = PLAN._replace(metric=metric)
    assert [told for told in differences(plan, received) if "not worse" in told]


def test_whoever_else_is_told_is_named():
    received = [*good(), hook("opened", AT + 6, team="growth", dedup_key="k2")]
    assert "growth was told by webhook (eta.br), but eta.br is maps's" in differences(PLAN, received)


def test_a_bad_signature_is_told_and_its_page_does_not_count():
    received = good()
    received[0] = received[0]._replace(signed=False, body={})
    told = differences(PLAN, received)
    assert "a webhook request to maps had a bad signature or key" in told
    assert any(one.startswith("0 pages came") for one in told)


def test_pagerduty_that_heard_nothing_is_told():
    assert "for k1 the webhook got ['trigger', 'resolve'] and PagerDuty [], want the same" in differences(
        PLAN, [one for one in good() if one.kind == "webhook"]
    )


def test_a_resolve_under_another_key_is_told():
    received = good()
    received[2].body["data"]["dedup_key"] = "k2"
    assert any("k2" in told for told in differences(PLAN, received))


def test_a_resolve_before_its_page_is_told():
    received = [good()[index] for index in (2, 0, 1, 3)]
    assert any("['resolve', 'trigger']" in told for told in differences(PLAN, received))


def accuracy_page(**changes: object) -> list[Received]:
    figures = {"metric": "accuracy", "before": 0.9, "after": 0.6}
    return [hook("opened", AT + 5, **(figures | changes)), duty("trigger", AT + 5)]


def test_a_recorded_stream_may_have_several_pages_and_one_that_is_not_over():
    again = [
        hook("opened", AT + 9, metric="accuracy", before=0.9, after=0.5, dedup_key="k2"),
        duty("trigger", AT + 9, "k2"),
    ]
    assert strays(accuracy_page() + again, "maps", "eta.br", "v7") == []


@pytest.mark.parametrize(("field", "value"), [("model", "eta.us"), ("version", "v8"), ("owner", "growth")])
def test_a_recorded_streams_page_about_something_else_is_told(field, value):
    (told,) = strays(accuracy_page(**{field: value}), "maps", "eta.br", "v7")
    assert told.startswith(f"the page's {field} is {value!r}")
