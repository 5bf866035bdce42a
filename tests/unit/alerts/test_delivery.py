"""Send, then record: against real HTTP receivers that are slow, down, or picky."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from urllib.parse import urlsplit

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from alerts.answer import Accepted, Answer
from alerts.book import IncidentBook
from alerts.change import lane_of
from alerts.courier import Courier
from alerts.delivery import NOT_MADE, Delivery
from alerts.http import Http
from alerts.incident import Incident, Notification
from alerts.intake import undelivered
from alerts.lane import Limit, Pace
from alerts.receivers.pagerduty import PagerDutyHerald, PagerDutyReceiver
from alerts.receivers.receiver import Message, Receiver
from alerts.receivers.request import Gate, Request
from alerts.receivers.webhook import WebhookReceiver
from alerts.smtp import Smtp
from alerts.telemetry import BookFigures, Telemetry
from stream.engine.partition import Output
from stream.events import Finding, Instant, Rollout
from tests.unit.alerts.samples import (
    LOOPBACK,
    MAPS,
    OWNERS,
    ROUTING_KEY,
    SECRET,
    HookServer,
    finding,
    hook_server,
    new_book,
    record,
)

NAMES = ("maps-hook", "maps-pd")
QUICK = Pace(base_s=0.01, cap_s=0.05)


@pytest.fixture
def pagerduty() -> Iterator[HookServer]:
    with hook_server() as server:
        server.answer = lambda got: (202, {})
        yield server


class Pager:
    """A book and its delivery; commits as the engine would when urged."""

    def __init__(
        self,
        hook: HookServer,
        pagerduty: HookServer,
        extra: Mapping[str, Receiver] | None = None,
        fallbacks: Mapping[str, str] | None = None,
        limits: Mapping[str, Limit] | None = None,
        http: Http | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        self.http = http or Http(2.0, LOOPBACK)
        receivers: dict[str, Receiver] = {
            "maps-hook": WebhookReceiver(hook.url, [SECRET]),
            "maps-pd": PagerDutyReceiver(ROUTING_KEY, pagerduty.url),
        } | dict(extra or {})
        telemetry = Telemetry(self.registry, NAMES)
        courier = Courier(self.http, Smtp())
        heralds = {lane_of("maps-pd"): PagerDutyHerald(ROUTING_KEY, pagerduty.url)}
        self.delivery = Delivery(receivers, courier.send, telemetry, QUICK, limits, heralds)
        self.letters: list[Output] = []
        self.book = new_book(
            announce=self.delivery.wake,
            urge=self.commit_soon,
            look_again=self.look_again,
            fallbacks=fallbacks,
            letter=undelivered("dead-letters"),
            owners=replace(OWNERS, hear_changes=frozenset({"maps-pd"})),
        )
        self.registry.register(BookFigures(self.delivery.held, ["maps"], NAMES))
        self.stored: dict[bytes, bytes | None] = {}
        self.is_fenced = self.is_behind = self.has_news = False
        self.commits = 0

    def take_over(self, stored: dict[bytes, bytes | None]) -> None:
        for key, value in stored.items():
            assert value is not None
            self.book.restore(key, value)
        self.book.committed()

    def commit_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self.commit)

    def look_again(self) -> None:
        self.is_behind = True
        self.commit_soon()

    def commit(self) -> None:
        if self.is_fenced:
            return
        self.commits += 1
        flush = self.book.freeze({})
        self.stored |= flush.state
        self.letters += flush.outputs
        self.book.committed()
        if self.is_behind and not self.has_news:
            self.is_behind = False
            self.book.caught_up()

    def fold(self, *findings: Finding) -> None:
        self.book.apply([record(fact) for fact in findings])
        self.commit()

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def run(pager: Callable[[], Pager], story: Callable[[Pager], Awaitable[None]]) -> None:
    async def play() -> None:
        playing = pager()
        playing.delivery.attach(playing.book)
        delivering = asyncio.create_task(playing.delivery.run())
        try:
            await story(playing)
            assert not delivering.done()
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
            await playing.http.close()

    asyncio.run(play())


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, "did not happen in time"
        await asyncio.sleep(0.005)


def states(book: IncidentBook) -> list[tuple[str, str, str]]:
    return [(n.receiver, n.action, n.state) for i in book.incidents() for n in i.notifications]


def kinds(hook: HookServer) -> list[str]:
    return [msgspec.json.decode(got.body)["type"] for got in hook.got]


def test_trigger_then_resolve_reach_both_receivers(hook: HookServer, pagerduty: HookServer) -> None:
    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: len(hook.got) == 1 and len(pagerduty.got) == 1)
        pager.fold(finding("a", "closed"))
        await until(lambda: len(hook.got) == 2 and len(pagerduty.got) == 2)
        await until(lambda: not list(pager.book.pending()))
        assert kinds(hook) == ["incident.opened", "incident.resolved"]
        events = [msgspec.json.decode(got.body) for got in pagerduty.got]
        assert [event["event_action"] for event in events] == ["trigger", "resolve"]
        assert len({event["dedup_key"] for event in events}) == 1
        sent = "tidewatch_notifications_total"
        assert pager.value(sent, receiver="maps-pd", action="resolve", result="sent") == 1
        assert pager.value("tidewatch_page_latency_seconds_count") == 2
        assert pager.value("tidewatch_incidents", owner="maps", state="resolved") == 1

    run(lambda: Pager(hook, pagerduty), story)


def test_receiver_that_was_down_gets_trigger_before_resolve_with_one_id(
    hook: HookServer, pagerduty: HookServer
) -> None:
    hook.answer = lambda got: (503, {})

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"), finding("a", "closed"))
        await until(lambda: len(hook.got) >= 4)
        assert pager.value("tidewatch_notifications_pending", receiver="maps-hook") == 2
        hook.answer = lambda got: (204, {})
        await until(lambda: not list(pager.book.pending()))
        assert kinds(hook)[-1] == "incident.resolved"
        assert set(kinds(hook)[:-1]) == {"incident.opened"}
        assert len({got.headers["webhook-id"] for got in hook.got}) == 2
        assert (
            pager.value("tidewatch_notification_attempts_total", receiver="maps-hook", reason="http_503") or 0
        ) >= 4

    run(lambda: Pager(hook, pagerduty), story)


def test_slow_receiver_delays_nobody_else(hook: HookServer, pagerduty: HookServer) -> None:
    hook.before_answer = lambda: time.sleep(1.0)

    async def story(pager: Pager) -> None:
        started = time.monotonic()
        pager.fold(finding("a"))
        await until(lambda: ("maps-pd", "trigger", "sent") in states(pager.book), within_s=0.9)
        assert time.monotonic() - started < 0.9
        assert ("maps-hook", "trigger", "due") in states(pager.book)

    run(lambda: Pager(hook, pagerduty), story)


def test_retry_after_quiets_everything_for_that_receiver(hook: HookServer, pagerduty: HookServer) -> None:
    hook.answer = lambda got: (429, {"retry-after": "1"})

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: len(hook.got) == 1)
        hook.answer = lambda got: (204, {})
        pager.fold(finding("r", model="route-bike"))
        await asyncio.sleep(0.5)
        assert len(hook.got) == 1
        await until(lambda: len(hook.got) == 3)

    run(lambda: Pager(hook, pagerduty), story)


def test_refusal_is_recorded_and_not_repeated(hook: HookServer, pagerduty: HookServer) -> None:
    hook.answer = lambda got: (400, {})

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: ("maps-hook", "trigger", "failed") in states(pager.book))
        pager.fold(finding("a", "closed"))
        await until(lambda: ("maps-pd", "resolve", "sent") in states(pager.book))
        assert len(hook.got) == 1
        failed = {"receiver": "maps-hook", "action": "trigger", "result": "failed"}
        assert pager.value("tidewatch_notifications_total", **failed) == 1

    run(lambda: Pager(hook, pagerduty), story)


def test_pager_that_died_before_it_recorded_repeats_with_the_same_id(
    hook: HookServer, pagerduty: HookServer
) -> None:
    stored: dict[bytes, bytes | None] = {}

    async def dies(pager: Pager) -> None:
        pager.fold(finding("a"))
        stored.update(pager.stored)
        await until(lambda: len(hook.got) == 1 and len(pagerduty.got) == 1)

    async def lives(pager: Pager) -> None:
        pager.take_over(stored)
        await until(lambda: not list(pager.book.pending()))

    run(lambda: Pager(hook, pagerduty), dies)
    run(lambda: Pager(hook, pagerduty), lives)
    first, again = hook.got
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert pagerduty.got[0].body == pagerduty.got[1].body


def test_book_taken_away_sends_nothing_more(hook: HookServer, pagerduty: HookServer) -> None:
    hook.answer = lambda got: (503, {})

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: len(hook.got) >= 1)
        pager.book.close()
        await asyncio.sleep(0.1)
        before = len(hook.got)
        await asyncio.sleep(0.3)
        assert len(hook.got) == before

    run(lambda: Pager(hook, pagerduty), story)


def test_a_pager_that_stands_by_leaves_no_receiver_alone(hook: HookServer, pagerduty: HookServer) -> None:
    hook.answer = lambda got: (503, {})

    async def story(pager: Pager) -> None:
        def is_open() -> bool:
            return pager.value("tidewatch_receiver_circuit_open", receiver="maps-hook") == 1

        pager.fold(finding("a"))
        await until(is_open)
        pager.book.close()
        await until(lambda: not is_open())

    run(lambda: Pager(hook, pagerduty), story)


def test_book_taken_away_in_the_middle_of_a_round_sends_only_what_was_under_way(
    hook: HookServer, pagerduty: HookServer
) -> None:
    hook.before_answer = lambda: time.sleep(0.3)

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"), finding("r", model="route-bike"))
        await asyncio.sleep(0.15)
        pager.book.close()
        await asyncio.sleep(0.8)
        assert len(hook.got) == 1

    run(lambda: Pager(hook, pagerduty), story)


def test_doubted_book_sends_nothing_more_until_a_commit_proves_that_it_is_still_ours(
    hook: HookServer, pagerduty: HookServer
) -> None:
    hook.answer = lambda got: (503, {})

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: len(hook.got) >= 1)
        pager.is_fenced = True
        pager.book.doubt()
        await stays(lambda: len(hook.got))
        pager.is_fenced = False
        pager.commit()
        before = len(hook.got)
        await until(lambda: len(hook.got) > before)

    run(lambda: Pager(hook, pagerduty), story)


def test_pager_that_stood_still_asks_for_a_commit_before_it_says_anything(
    hook: HookServer, pagerduty: HookServer
) -> None:
    hook.answer = lambda got: (503, {})

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: len(hook.got) >= 1)
        pager.is_fenced = True
        time.sleep(1.2)  # noqa: ASYNC251 - as a stopped process does
        await stays(lambda: len(hook.got))
        pager.is_fenced = False
        before, commits = len(hook.got), pager.commits
        pager.book.doubt()
        await until(lambda: len(hook.got) > before)
        assert pager.commits > commits

    run(lambda: Pager(hook, pagerduty), story)


def test_what_waits_is_shown_while_the_pager_asks_whether_it_is_still_the_active_one(
    hook: HookServer, pagerduty: HookServer
) -> None:
    hook.answer = lambda got: (503, {})

    async def story(pager: Pager) -> None:
        def waiting() -> float | None:
            return pager.value("tidewatch_notifications_pending", receiver="maps-hook")

        pager.fold(finding("a"))
        await until(lambda: len(hook.got) >= 1)
        pager.is_fenced = True
        pager.book.doubt()
        assert (pager.delivery.book(), waiting()) == (None, 1)
        pager.book.close()
        assert waiting() == 0

    run(lambda: Pager(hook, pagerduty), story)


def test_whoever_comes_first_after_the_pager_stood_still_finds_it_in_doubt_until_what_came_is_folded(
    hook: HookServer, pagerduty: HookServer
) -> None:
    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        pager.has_news = True
        time.sleep(1.2)  # noqa: ASYNC251 - as a stopped process does
        assert pager.delivery.book() is None
        commits = pager.commits
        await until(lambda: pager.commits > commits)
        assert pager.delivery.book() is None
        pager.has_news = False
        pager.commit()
        assert pager.delivery.book() is pager.book

    run(lambda: Pager(hook, pagerduty), story)


def test_pager_that_stood_still_while_it_connected_says_nothing_either(
    hook: HookServer, pagerduty: HookServer
) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        if port == urlsplit(hook.url).port and not stood:
            stood.append(True)
            time.sleep(1.2)  # noqa: ASYNC251 - as a stopped process does
        return [host]

    async def story(pager: Pager) -> None:
        pager.is_fenced = True
        pager.book.apply([record(finding("a"))])
        pager.book.freeze({})
        pager.book.committed()
        await until(lambda: bool(stood))
        await stays(lambda: len(hook.got))
        assert hook.got == []
        pager.is_fenced = False
        pager.book.doubt()
        await until(lambda: len(hook.got) == 1)

    stood: list[bool] = []
    run(lambda: Pager(hook, pagerduty, http=Http(5.0, LOOPBACK, resolve)), story)


async def stays(count: Callable[[], int]) -> None:
    """What was under way may arrive yet, nothing more."""
    await asyncio.sleep(0.1)
    before = count()
    await asyncio.sleep(0.3)
    assert count() == before


def test_acceptance_that_arrives_while_the_book_is_doubted_is_recorded(
    hook: HookServer, pagerduty: HookServer
) -> None:
    hook.before_answer = lambda: time.sleep(0.2)

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await asyncio.sleep(0.1)
        pager.is_fenced = True
        pager.book.doubt()
        await until(lambda: len(hook.got) == 1)
        await asyncio.sleep(0.1)
        pager.is_fenced = False
        pager.commit()
        await asyncio.sleep(0.3)
        assert len(hook.got) == 1
        assert ("maps-hook", "trigger", "sent") in states(pager.book)

    run(lambda: Pager(hook, pagerduty), story)


def test_receiver_that_is_gone_is_asked_once_and_its_fallback_hears_everything(
    hook: HookServer, pagerduty: HookServer
) -> None:
    hook.answer = lambda got: (410, {})

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"), finding("r", model="route-bike"))
        await until(lambda: len(spare.got) == 2)
        await until(lambda: not list(pager.book.pending()))
        assert len(hook.got) == 1
        pager.fold(finding("a", "closed"))
        await until(lambda: len(spare.got) == 3)
        assert kinds(spare)[-1] == "incident.resolved"
        assert len(hook.got) == 1
        assert {dict(letter.headers)["tidewatch_detail"] for letter in pager.letters} == {b"http_410"}
        assert len(pager.letters) == 2

    with hook_server() as spare:

        def built() -> Pager:
            receivers = {"spare": WebhookReceiver(spare.url, [SECRET])}
            return Pager(hook, pagerduty, receivers, {"maps-hook": "spare"})

        run(built, story)


def test_delivery_ends_when_it_is_stopped_as_a_retry_is_woken(
    hook: HookServer, pagerduty: HookServer
) -> None:
    hook.answer = lambda got: (503, {"retry-after": "60"})

    async def story() -> None:
        pager = Pager(hook, pagerduty)
        pager.delivery.attach(pager.book)
        delivering = asyncio.create_task(pager.delivery.run())
        pager.fold(finding("a"))
        await until(lambda: ("maps-pd", "trigger", "sent") in states(pager.book) and len(hook.got) == 1)
        await asyncio.sleep(0.05)
        pager.delivery.wake()
        delivering.cancel()
        ended, _ = await asyncio.wait({delivering}, timeout=2.0)
        assert ended
        await pager.http.close()

    asyncio.run(story())


def test_limit_spaces_what_leaves(hook: HookServer, pagerduty: HookServer) -> None:
    limits = {"maps-hook": Limit(per_s=5.0, burst=1.0)}

    async def story(pager: Pager) -> None:
        began = time.monotonic()
        pager.fold(*(finding(f"{number}", model=f"eta.{number}") for number in range(4)))
        await until(lambda: len(hook.got) == 4)
        assert time.monotonic() - began >= 0.55

    run(lambda: Pager(hook, pagerduty, limits=limits), story)


def test_receiver_that_forgets_is_told_again(hook: HookServer, pagerduty: HookServer) -> None:
    class Forgetful(WebhookReceiver):
        refresh_s = 0.05

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: len(hook.got) >= 4)
        assert set(kinds(hook)) == {"incident.opened"}
        assert ("maps-hook", "trigger", "sent") in states(pager.book)

    run(lambda: Pager(hook, pagerduty, {"maps-hook": Forgetful(hook.url, [SECRET])}), story)


def test_what_is_over_is_not_said_to_go_on_after_its_end(hook: HookServer, pagerduty: HookServer) -> None:
    class Forgetful(WebhookReceiver):
        refresh_s = 0.01

    said: list[tuple[str, str]] = []
    over = asyncio.Event()

    async def story(pager: Pager) -> None:
        async def send(message: Message, _: Gate) -> Answer:
            assert isinstance(message, Request)
            body = msgspec.json.decode(message.body)
            said.append((body["data"]["model"], body["type"]))
            if len(said) == 3:  # the first that is said again: meanwhile another incident ends
                pager.fold(finding("b", "closed", model="eta.bus"))
                delivery.wake()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), 0.3)
            if said[-1] == ("eta.bus", "incident.resolved"):
                over.set()
            return Accepted()

        receivers = {"maps-hook": Forgetful(hook.url, [SECRET])}
        delivery = Delivery(receivers, send, Telemetry(CollectorRegistry(), NAMES), QUICK)
        pager.fold(finding("a"), finding("b", model="eta.bus"))
        delivery.attach(pager.book)
        delivering = asyncio.create_task(delivery.run())
        try:
            await until(lambda: over.is_set() and len(said) >= 8)
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
        kinds = [kind for model, kind in said if model == "eta.bus"]
        assert "incident.opened" not in kinds[kinds.index("incident.resolved") :]

    async def play() -> None:
        pager = Pager(hook, pagerduty)
        await story(pager)
        await pager.http.close()

    asyncio.run(play())


def test_a_page_that_cant_be_made_keeps_no_other_from_leaving(
    hook: HookServer, pagerduty: HookServer
) -> None:
    class Broken(WebhookReceiver):
        def message(self, incident: Incident, notification: Notification, at: float) -> Request:
            if incident.model == "eta.bus":
                raise RuntimeError("a fault of ours")
            return super().message(incident, notification, at)

    async def story(pager: Pager) -> None:
        pager.fold(finding("a", model="eta.bus"), finding("b"))
        await until(lambda: len(hook.got) == 1 and len(pagerduty.got) == 2)
        await until(lambda: len([*pager.book.pending()]) == 1)
        (waiting,) = pager.book.pending()
        assert (waiting.receiver, waiting.last_error, pager.letters) == ("maps-hook", NOT_MADE, [])

    run(lambda: Pager(hook, pagerduty, {"maps-hook": Broken(hook.url, [SECRET])}), story)


def test_fault_in_one_receivers_task_does_not_go_unseen(hook: HookServer, pagerduty: HookServer) -> None:
    async def broken(message: Message, _: Gate) -> Answer:
        raise RuntimeError("a fault of ours")

    async def play() -> None:
        pager = Pager(hook, pagerduty)
        telemetry = Telemetry(CollectorRegistry(), NAMES)
        delivery = Delivery({"maps-hook": WebhookReceiver(hook.url, [SECRET])}, broken, telemetry)
        delivery.attach(pager.book)
        pager.fold(finding("a"))
        with pytest.raises(ExceptionGroup, match="TaskGroup"):
            await asyncio.wait_for(delivery.run(), 5.0)
        await pager.http.close()

    asyncio.run(play())


def test_metrics_start_at_zero(hook: HookServer, pagerduty: HookServer) -> None:
    async def story(pager: Pager) -> None:
        for name, labels in (
            ("tidewatch_incidents", {"owner": "maps", "state": "open"}),
            ("tidewatch_notifications_pending", {"receiver": "maps-hook"}),
            (
                "tidewatch_notifications_total",
                {"receiver": "maps-hook", "action": "trigger", "result": "sent"},
            ),
            ("tidewatch_findings_received_total", {}),
            ("tidewatch_findings_triaged_total", {"reason": "no_receivers"}),
        ):
            assert pager.value(name, **labels) == 0, name

    run(lambda: Pager(hook, pagerduty), story)


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_waits_grow_up_to_a_cap_and_are_jittered(draw: float) -> None:
    pace = Pace(base_s=0.5, cap_s=60.0)
    waits = [pace.wait_s(attempts, draw) for attempts in (1, 2, 3, 50, 10_000)]
    assert waits == [draw * ceiling for ceiling in (0.5, 1.0, 2.0, 60.0, 60.0)]


def test_a_change_lane_that_fails_delays_no_page(hook: HookServer, pagerduty: HookServer) -> None:
    rollout = Rollout(model="eta.city", version="8", stage="live", at=Instant(time.time()))
    pagerduty.answer = lambda got: (503 if "change" in got.path and len(pagerduty.got) < 4 else 202, {})

    async def story(pager: Pager) -> None:
        pager.book.apply([record(rollout), record(finding())])
        pager.commit()
        await until(lambda: not [*pager.book.changes(), *pager.book.pending()])
        paths = [got.path for got in pagerduty.got]
        assert paths.count("/v2/enqueue") == 1
        assert paths.index("/v2/enqueue") < 3
        assert len({got.body for got in pagerduty.got if "change" in got.path}) == 1
        sent = pager.value(
            "tidewatch_notifications_total", receiver=lane_of("maps-pd"), action="change", result="sent"
        )
        assert sent == 1

    run(lambda: Pager(hook, pagerduty), story)


def test_what_waits_for_a_receiver_that_is_gone_is_let_go_unless_it_is_a_page_of_what_goes_on(
    hook: HookServer, pagerduty: HookServer
) -> None:
    gone = "sms"
    owners = replace(OWNERS, owners=(replace(MAPS, receivers=(gone,)),), hear_changes=frozenset({gone}))
    before = new_book(owners=owners)
    before.apply([record(finding(name, model=f"eta.{name}")) for name in "abc"])
    stored = dict(before.freeze({}).state)
    before.committed()
    (told, *_) = before.due(gone)
    before.accepted(told, 2_000.0)
    rollout = Rollout(model="eta.a", version="8", stage="live", at=Instant(time.time()))
    before.apply([record(rollout), *(record(finding(n, "closed", model=f"eta.{n}")) for n in "ab")])
    stored |= before.freeze({}).state

    async def story(pager: Pager) -> None:
        pager.take_over(stored)
        await until(lambda: [one.action for one in pager.book.pending()] == ["trigger"])
        said = [(action, state) for _, action, state in states(pager.book)]
        ended = [("trigger", "failed"), ("resolve", "failed")]
        assert said == [("trigger", "sent"), ("resolve", "failed"), *ended, ("trigger", "due")]
        assert [*pager.book.changes()] == []
        reasons = {dict(letter.headers)["tidewatch_detail"] for letter in pager.letters}
        assert reasons == {b"no_such_receiver"}

    run(lambda: Pager(hook, pagerduty), story)


def named(hook: HookServer, addresses: Callable[[int], str]) -> tuple[dict[str, Receiver], Http]:
    """The hook under a name that is answered so, by the number of the look-up."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        if host != "hook.example":
            return [host]
        asked.append(host)
        return [addresses(len(asked))]

    url = hook.url.replace("127.0.0.1", "hook.example")
    return {"maps-hook": WebhookReceiver(url, [SECRET])}, Http(2.0, LOOPBACK, resolve)


def test_a_name_that_is_answered_wrongly_for_a_while_loses_no_page(
    hook: HookServer, pagerduty: HookServer
) -> None:
    extra, http = named(hook, lambda number: "0.0.0.0" if number < 8 else "127.0.0.1")

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: len(hook.got) == 1)
        await until(lambda: not list(pager.book.pending()))
        assert pager.letters == []
        reason = {"receiver": "maps-hook", "reason": "address_not_allowed"}
        assert pager.value("tidewatch_notification_attempts_total", **reason) == 7

    run(lambda: Pager(hook, pagerduty, extra, http=http), story)


def test_a_name_that_stays_where_requests_may_not_go_ends_the_page_and_its_fallback_hears(
    hook: HookServer, pagerduty: HookServer
) -> None:
    extra, http = named(hook, lambda number: "10.0.0.1")
    owners = replace(OWNERS, owners=(replace(MAPS, receivers=("maps-hook",)),))

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: len(pagerduty.got) == 1)
        assert ("maps-hook", "trigger", "failed") in states(pager.book)
        assert hook.got == []
        (failed,) = (n for i in pager.book.incidents() for n in i.notifications if n.state == "failed")
        assert (failed.attempts, failed.last_error) == (12, "address_not_allowed")

    def made() -> Pager:
        pager = Pager(hook, pagerduty, extra, http=http, fallbacks={"maps-hook": "maps-pd"})
        pager.book._owners = owners
        return pager

    run(made, story)


def test_a_page_that_its_receiver_always_fails_at_does_not_stand_before_those_that_come_later(
    hook: HookServer, pagerduty: HookServer
) -> None:
    bad = "eta.bad"
    hook.answer = lambda got: (500 if msgspec.json.decode(got.body)["data"]["model"] == bad else 204, {})

    async def story(pager: Pager) -> None:
        pager.fold(finding("bad", model=bad))
        await until(lambda: pager.value("tidewatch_receiver_circuit_open", receiver="maps-hook") == 1)
        for number in range(8):
            seen = len(hook.got)
            pager.fold(finding(f"f{number}", model=f"eta.{number}"))
            await until(lambda: len(hook.got) >= seen + 2)  # noqa: B023
            models = [msgspec.json.decode(got.body)["data"]["model"] for got in hook.got[seen : seen + 2]]
            assert f"eta.{number}" in models, "at most one attempt was under way"
            await until(lambda: pager.value("tidewatch_receiver_circuit_open", receiver="maps-hook") == 1)

    run(lambda: Pager(hook, pagerduty), story)


def test_a_page_that_was_tried_for_long_is_not_lost_by_one_wrong_answer_to_its_name(
    hook: HookServer, pagerduty: HookServer
) -> None:
    extra, http = named(hook, lambda number: "0.0.0.0" if number == 20 else "127.0.0.1")
    hook.answer = lambda got: (503 if len(hook.got) < 19 else 204, {"connection": "close"})

    async def story(pager: Pager) -> None:
        pager.fold(finding("a"))
        await until(lambda: len(hook.got) == 20)
        await until(lambda: not list(pager.book.pending()))
        assert pager.letters == []
        reason = {"receiver": "maps-hook", "reason": "address_not_allowed"}
        assert pager.value("tidewatch_notification_attempts_total", **reason) == 1

    run(lambda: Pager(hook, pagerduty, extra, http=http), story)
