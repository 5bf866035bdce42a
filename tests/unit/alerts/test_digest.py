"""Digests: what a receiver's limit has piled up leaves in few messages, and nothing of it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from alerts.book import IncidentBook
from alerts.config import OwnersError, load
from alerts.digest import MOST
from alerts.lane import Lane, Limit
from alerts.outbox import Digest, Due, Leaving
from alerts.owners import Owner, Owners
from alerts.receivers.pagerduty import PagerDutyReceiver
from alerts.receivers.slack import SlackReceiver
from tests.unit.alerts.samples import (
    APART,
    HOOKED,
    LOOPBACK,
    ROUTING_KEY,
    HookServer,
    commit,
    finding,
    hook_server,
    new_book,
    record,
)
from tests.unit.alerts.test_delivery import QUICK

LONE = Owners(
    owners=(Owner(name="maps", models=("*",), receivers=("slack",)),),
    default=Owner(name="rest"),
    grouping=APART,
)


def storm(count: int, state: str = "open") -> list:
    return [record(finding(f"f{n}", state, model=f"eta.{n:03}")) for n in range(count)]


def piled(count: int) -> IncidentBook:
    book = new_book(owners=LONE)
    book.apply(storm(count))
    commit(book)
    return book


def digests(book: IncidentBook) -> list[Digest]:
    return [one for one in book.due("slack") if isinstance(one, Digest)]


def names(leaving: Leaving) -> list[str]:
    return (
        [due.notification.id for due in leaving.dues]
        if isinstance(leaving, Digest)
        else [leaving.notification.id]
    )


def test_what_waits_leaves_in_digests_that_hold_each_once_and_in_order() -> None:
    book = piled(2 * MOST + 5)
    waiting = [one.notification.id for one in book.due("slack")]
    book.bundle("slack")
    commit(book)
    found = digests(book)
    assert [len(one.dues) for one in found] == [MOST, MOST, 5]
    assert sorted(name for one in found for name in names(one)) == sorted(waiting)
    assert [*book.due("slack")] == found


def test_a_digest_leaves_only_when_it_is_durable() -> None:
    book = piled(3)
    book.bundle("slack")
    assert list(book.due("slack")) == []
    commit(book)
    assert len(digests(book)) == 1


def test_a_digest_is_the_same_after_a_crash_whatever_came_meanwhile() -> None:
    book = piled(3)
    stored = commit(book)
    book = piled(3)
    book.bundle("slack")
    stored |= commit(book)
    (before,) = digests(book)
    again = new_book(owners=LONE)
    for key, value in {**_all(piled(3)), **stored}.items():
        again.restore(key, value)
    again.apply(storm(9))
    commit(again)
    again.bundle("slack")
    commit(again)
    first, second = digests(again)
    assert (first.notification.id, names(first)) == (before.notification.id, names(before))
    assert len(second.dues) == 6


def _all(book: IncidentBook) -> dict[bytes, bytes]:
    return {one.id.encode(): msgspec.json.encode(one) for one in book.incidents()}


def test_an_end_stands_behind_its_trigger() -> None:
    book = piled(2)
    book.apply(storm(2, "closed"))
    commit(book)
    book.bundle("slack")
    commit(book)
    (found,) = digests(book)
    for model in ("eta.000", "eta.001"):
        said = [due.notification.action for due in found.dues if due.incident.model == model]
        assert said == ["trigger", "resolve"]


def test_an_accepted_digest_is_sent_and_ends_follow_it() -> None:
    book = piled(3)
    book.bundle("slack")
    commit(book)
    (found,) = digests(book)
    book.put_off(found, "http_429")
    (found,) = digests(book)
    assert found.notification.attempts == 1
    book.accepted(found, at=2_001.0)
    assert list(book.due("slack")) == []
    assert {one.state for incident in book.incidents() for one in incident.notifications} == {"sent"}
    book.apply(storm(3, "closed"))
    commit(book)
    assert [one.notification.action for one in book.due("slack")] == ["resolve"] * 3


def test_each_notification_of_a_refused_digest_is_a_dead_letter_and_goes_to_the_fallback() -> None:
    letters = []
    book = new_book(
        owners=LONE,
        fallbacks={"slack": "spare"},
        letter=lambda due, reason: letters.append(due.notification.id),
    )
    book.apply(storm(3))
    commit(book)
    book.bundle("slack")
    commit(book)
    (found,) = digests(book)
    book.refused(found, "http_404")
    commit(book)
    assert letters == names(found)
    assert [type(one) for one in book.due("spare")] == [Due] * 3


def test_what_was_tried_keeps_its_own_id() -> None:
    book = piled(3)
    first = next(iter(book.due("slack")))
    book.put_off(first, "timeout")
    book.bundle("slack")
    commit(book)
    digest, alone = book.due("slack")
    assert isinstance(digest, Digest)
    assert (len(digest.dues), alone.notification.id) == (2, first.notification.id)


def test_a_single_notification_is_no_digest() -> None:
    book = piled(1)
    book.bundle("slack")
    commit(book)
    assert [type(one) for one in book.due("slack")] == [Due]


def test_a_rollback_is_never_in_a_digest() -> None:
    book = new_book(owners=HOOKED)
    assert book.waiting("maps-deploy") == 0
    book.bundle("maps-deploy")
    assert list(book.due("maps-deploy")) == []


def test_a_closed_book_bundles_nothing() -> None:
    book = piled(3)
    book.close()
    book.bundle("slack")
    assert commit(book) == {}


def test_room_is_what_may_leave_at_once() -> None:
    lane = Lane(lambda: 0.0, limit=Limit(per_s=1.0, burst=3.0))
    assert lane.room(0.0) == 3
    lane.take(0.0)
    assert [lane.room(0.0), lane.room(0.5), lane.room(1.0), lane.room(9.0)] == [2, 2, 3, 3]


@pytest.fixture
def channel() -> Iterator[HookServer]:
    with hook_server() as server:
        server.answer = lambda got: (200, {})
        server.body = b"ok"
        yield server


def deliver(receiver, channel: HookServer, over: int, count: int) -> tuple[IncidentBook, list[dict]]:
    """Deliver a storm to a receiver that takes two a second."""
    from prometheus_client import CollectorRegistry

    from alerts.courier import Courier
    from alerts.delivery import Delivery
    from alerts.http import Http
    from alerts.smtp import Smtp
    from alerts.telemetry import Telemetry

    registry = CollectorRegistry()

    async def play() -> IncidentBook:
        http = Http(2.0, LOOPBACK)
        limits = {"slack": Limit(per_s=20.0, burst=2.0)}
        delivery = Delivery(
            {"slack": receiver},
            Courier(http, Smtp()).send,
            Telemetry(registry, ["slack"]),
            QUICK,
            limits,
            digest_over={"slack": over} if over else {},
        )
        book = new_book(owners=LONE, announce=delivery.wake)
        delivery.attach(book)
        book.apply(storm(count))
        commit(book)
        running = asyncio.create_task(delivery.run())
        try:
            for _ in range(1_000):
                commit(book)
                if not [*book.pending()]:
                    break
                await asyncio.sleep(0.01)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await http.close()
        return book

    book = asyncio.run(play())
    assert [*book.pending()] == []
    value = registry.get_sample_value
    sent = "tidewatch_notifications_total"
    assert value(sent, {"receiver": "slack", "action": "trigger", "result": "sent"}) == count
    assert value("tidewatch_page_latency_seconds_count") == count
    return book, [msgspec.json.decode(got.body) for got in channel.got]


def test_a_storm_beyond_a_channels_limit_is_told_in_a_few_messages(channel: HookServer) -> None:
    book, bodies = deliver(SlackReceiver(channel.url), channel, over=10, count=100)
    assert len(bodies) == 4
    text = "\n".join(str(body) for body in bodies)
    assert all(incident.model in text for incident in book.incidents())
    assert bodies[0]["text"] == "30 notifications at once: 30 open"


def test_a_queue_within_the_bound_is_told_one_by_one(channel: HookServer) -> None:
    _, bodies = deliver(SlackReceiver(channel.url), channel, over=10, count=12)
    assert len(bodies) == 12


def test_without_digests_a_storm_leaves_one_by_one(channel: HookServer) -> None:
    _, bodies = deliver(SlackReceiver(channel.url), channel, over=0, count=15)
    assert len(bodies) == 15


def test_a_digest_for_a_receiver_that_takes_none_any_more_leaves_one_by_one(channel: HookServer) -> None:
    """Its kind was changed in the owners file while digests waited."""
    channel.body = b"{}"
    _, bodies = deliver(PagerDutyReceiver(ROUTING_KEY, channel.url), channel, over=1, count=8)
    assert sorted(body["payload"]["source"] for body in bodies) == [f"eta.{n:03}" for n in range(8)]


FILE = '[[receiver]]\nname = "a"\n{receiver}\n[default_owner]\nname = "maps"\nreceivers = ["a"]\n'


@pytest.mark.parametrize(
    ("receiver", "over"),
    [
        ('kind = "slack"\nurl = "https://a.example/"', {"a": 20}),
        ('kind = "slack"\nurl = "https://a.example/"\ndigest_over = 5', {"a": 5}),
        ('kind = "slack"\nurl = "https://a.example/"\ndigest_over = 0', {}),
        ('kind = "alertmanager"\nurl = "https://a.example/"', {}),
        ('kind = "alertmanager"\nurl = "https://a.example/"\ndigest_over = 50', {"a": 50}),
        (f'kind = "pagerduty"\nrouting_key = "{ROUTING_KEY}"', {}),
    ],
)
def test_people_get_digests_unless_told_otherwise_and_programs_when_they_ask(
    tmp_path, receiver, over
) -> None:
    path = tmp_path / "owners.toml"
    path.write_text(FILE.format(receiver=receiver), encoding="utf-8")
    assert load(path, {}).digest_over == over


def test_a_receiver_that_can_take_none_is_a_fault(tmp_path) -> None:
    path = tmp_path / "owners.toml"
    receiver = f'kind = "pagerduty"\nrouting_key = "{ROUTING_KEY}"\ndigest_over = 5'
    path.write_text(FILE.format(receiver=receiver), encoding="utf-8")
    with pytest.raises(OwnersError, match="digest_over: this kind takes no digests; want it left out"):
        load(path, {})
