"""Rollouts that receivers are told of: once, durably, and in no page's way."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from alerts.change import CHANGES_BUDGET, EXPIRES_S, DueChange, announced, lane_of
from alerts.config import load
from alerts.intake import undelivered
from alerts.owners import Owner, Owners, Step
from alerts.reason import Reason
from alerts.receivers.pagerduty import PagerDutyHerald
from stream.events import Instant, Rollout
from tests.unit.alerts.samples import (
    APART,
    MAPS,
    OWNERS,
    ROUTING_KEY,
    Rec,
    Seen,
    commit,
    finding,
    new_book,
    record,
)

LANE = lane_of("maps-pd")
TOLD = replace(OWNERS, hear_changes=frozenset({"maps-pd"}))


def rollout(version: str = "8", stage: str = "live", at: float = 1_000.0, **fields) -> Rollout:
    return Rollout(model="eta.city", version=version, stage=stage, at=Instant(at), **fields)


def test_a_rollout_is_due_once_for_each_receiver_that_asks_and_only_when_durable():
    seen = Seen()
    book = new_book(seen, owners=TOLD)
    assert book.apply([record(rollout())])
    assert list(book.due(LANE)) == []
    commit(book)
    book.apply([record(rollout())])
    commit(book)
    (due,) = book.due(LANE)
    assert isinstance(due, DueChange)
    assert (due.change.owner, due.change.version, due.change.stage) == ("maps", "8", "live")
    assert [*book.due("maps-pd"), *book.due("maps-hook")] == []
    assert seen.reasons == [(Reason.CHANGE_ANNOUNCED,), (Reason.REPEAT,)]


def test_a_rollout_that_nobody_asks_for_is_counted_and_kept_nowhere():
    seen = Seen()
    book = new_book(seen, owners=OWNERS)
    assert not book.apply([record(rollout())])
    assert commit(book) == {}
    assert seen.reasons == [(Reason.CHANGE_UNHEARD,)]


def test_a_change_that_was_sent_is_forgotten_and_stays_so_after_a_restart():
    book = new_book(owners=TOLD)
    book.apply([record(rollout("8")), record(rollout("9"))])
    stored = commit(book)
    first, second = book.due(LANE)
    book.accepted(first, at=2_000.0)
    book.put_off(second, "http_503")
    assert [due.change.version for due in book.due(LANE)] == ["9"]
    stored |= commit(book)
    again = new_book(owners=TOLD)
    for key, value in stored.items():
        if value is not None:
            again.restore(key, value)
    assert list(again.due(LANE)) == []
    commit(again)
    (left,) = again.due(LANE)
    assert (left.notification.id, left.notification.attempts) == (second.notification.id, 1)


def test_a_change_that_is_refused_goes_to_the_dead_letters():
    book = new_book(owners=TOLD, letter=undelivered("dead-letters"))
    book.apply([record(rollout())])
    commit(book)
    (due,) = book.due(LANE)
    book.refused(due, "http_400")
    flush = book.freeze({})
    assert [dict(out.headers)["tidewatch_detail"] for out in flush.outputs] == [b"http_400"]
    assert dict(flush.state) == {due.notification.id.encode(): None}
    book.committed()
    assert list(book.due(LANE)) == []


def test_changes_that_wait_have_a_bound_and_what_is_left_out_is_counted():
    seen = Seen()
    book = new_book(seen, owners=TOLD)
    book.apply([record(rollout(str(number))) for number in range(CHANGES_BUDGET + 1)])
    assert len(list(book.changes())) == CHANGES_BUDGET
    assert seen.reasons[-1] == (Reason.CHANGE_LEFT_OUT,)


def test_a_closed_book_hands_out_no_changes():
    book = new_book(owners=TOLD)
    book.apply([record(rollout())])
    commit(book)
    (due,) = book.due(LANE)
    book.close()
    assert list(book.due(LANE)) == []
    book.accepted(due, at=1.0)
    book.put_off(due, "timeout")
    assert commit(book) == {}


def test_a_page_leaves_though_a_thousand_changes_wait():
    book = new_book(owners=TOLD)
    book.apply([record(rollout(str(number))) for number in range(CHANGES_BUDGET)])
    book.apply([record(finding())])
    commit(book)
    (due,) = book.due("maps-pd")
    assert due.notification.action == "trigger"
    assert [one.receiver for one in book.pending()] == ["maps-hook", "maps-pd"], "no change is overdue"


def test_stages_and_instants_are_changes_of_their_own():
    made = [
        announced(one, TOLD, 2_000.0)[0].id
        for one in (rollout(), rollout(), rollout(stage="canary"), rollout(at=1_001.0), rollout("9"))
    ]
    assert made[0] == made[1]
    assert len(set(made)) == 4


def test_those_of_an_escalation_hear_of_changes_too_and_nobody_twice():
    steps = (Step(after_s=60.0, receivers=("maps-pd", "boss-pd")),)
    owners = Owners(
        owners=(replace(MAPS, escalation=steps),),
        default=Owner(name="rest"),
        hear_changes=frozenset({"maps-pd", "boss-pd", "other-pd"}),
        grouping=APART,
    )
    told = [change.notification.receiver for change in announced(rollout(), owners, 2_000.0)]
    assert told == [LANE, lane_of("boss-pd")]


def test_a_change_runs_out_after_a_day():
    (change,) = announced(rollout(at=1_000.0), TOLD, 2_000.0)
    assert change.notification.expires_at == 1_000.0 + EXPIRES_S


def test_the_event_says_what_pagerduty_wants_of_a_change():
    (change,) = announced(rollout(traffic_share=0.05, stage="canary"), TOLD, 2_000.0)
    request = PagerDutyHerald(ROUTING_KEY, "https://events.example/").message(change)
    body = msgspec.json.decode(request.body)
    assert request.url == "https://events.example/v2/change/enqueue"
    assert set(body) == {"routing_key", "payload"}
    assert body["routing_key"] == ROUTING_KEY
    assert body["payload"]["summary"] == "eta.city: version 8 is canary"
    assert body["payload"]["timestamp"] == "1970-01-01T00:16:40.000Z"
    assert body["payload"]["source"] == "eta.city"
    assert body["payload"]["custom_details"]["traffic_share"] == 0.05


def test_a_change_event_keeps_its_limits_whatever_the_names_are():
    wide = Rollout(model="ü" * 200, version="€" * 200, stage="live", at=Instant(1_000.0))
    (change,) = announced(wide, replace(TOLD, default=MAPS), 2_000.0)
    body = msgspec.json.decode(PagerDutyHerald(ROUTING_KEY).message(change).body)
    assert len(body["payload"]["summary"]) <= 1_024


@pytest.mark.parametrize(("option", "lanes"), [("changes = true", [LANE]), ("", [])])
def test_a_receiver_asks_for_changes_in_the_owners_file(tmp_path, option, lanes):
    path = tmp_path / "owners.toml"
    path.write_text(
        f'[[receiver]]\nname = "maps-pd"\nkind = "pagerduty"\nrouting_key = "{ROUTING_KEY}"\n{option}\n'
        '[default_owner]\nname = "maps"\nreceivers = ["maps-pd"]\n',
        encoding="utf-8",
    )
    roster = load(path, {})
    assert [*roster.heralds] == lanes
    assert [one.notification.receiver for one in announced(rollout(), roster.owners, 1.0)] == lanes


def test_a_damaged_change_is_a_state_error():
    from alerts.archive import StateError

    with pytest.raises(StateError, match="chg_x"):
        new_book().restore(b"chg_x", b'{"schema": 2}')


def test_a_rollout_with_an_absurd_stage_is_a_dead_letter():
    book = new_book(owners=TOLD)
    book.apply([Rec(record(rollout()).value.replace(b'"live"', b'"loud"'))])
    assert len(book.freeze({}).outputs) == 1
