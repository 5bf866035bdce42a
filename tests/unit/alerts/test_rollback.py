"""Rollbacks: a blamed fresh version is asked for once, durably, by the owner's leave only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from standardwebhooks import Webhook

from alerts.answer import Accepted, Answer
from alerts.book import IncidentBook
from alerts.calendar import Silence
from alerts.command import Command, obey
from alerts.delivery import EXPIRED, Delivery
from alerts.grouping import Upstream
from alerts.http import Http
from alerts.incident import Incident, Notification
from alerts.lane import Pace
from alerts.ledger import Ledger
from alerts.owners import Owner, Owners, RollbackHook
from alerts.reason import Reason
from alerts.receivers.receiver import Message
from alerts.receivers.request import Gate, Request
from alerts.receivers.rollback import RollbackReceiver
from alerts.rollback import AUTOMATIC, DRY_RUN, RESOLVED, blamed, results
from alerts.sample import sample_rollback
from alerts.telemetry import Telemetry
from alerts.triage import triage
from stream.events import Finding, RolledOut
from tests.unit.alerts.samples import (
    HOOKED,
    LOOPBACK,
    SECRET,
    Got,
    HookServer,
    Rec,
    Seen,
    finding,
    hook_server,
    incident_of,
    new_book,
    record,
)

LIVE = RolledOut(version="7", stage="live", at=900.0)
HOOK = "maps-deploy"


def owners(**fields: Any) -> Owners:
    hook = RollbackHook(name=HOOK, **({"automatic": True} | fields))
    return replace(HOOKED, owners=(replace(HOOKED.owners[0], rollback=hook),))


def blaming(finding_id: str = "a", **fields: Any) -> Finding:
    return finding(finding_id, **({"rollouts": (LIVE,)} | fields))


def requests(incident: Incident) -> list[Notification]:
    return [one for one in incident.notifications if one.action == "rollback"]


def outcome(incident: Incident) -> list[tuple[str | None, str | None]]:
    return [(one["asked_by"], one["result"]) for one in results(incident)]


def fold(ledger: Ledger, fact: Finding, who: Owners, now: float = 2_000.0) -> tuple[Incident, set[Reason]]:
    decision = triage(ledger, fact, who, now)
    for one in decision.changed:
        ledger.put(one)
    return decision.changed[0], set(decision.reasons)


@pytest.mark.parametrize(
    ("rollout", "is_blamed"),
    [
        (LIVE, True),
        (replace(LIVE, stage="canary"), True),
        (replace(LIVE, stage="shadow"), False),
        (replace(LIVE, stage="retired"), False),
        (replace(LIVE, version="8"), False),
        (replace(LIVE, at=399.0), False),
        (replace(LIVE, at=400.0), True),
        (replace(LIVE, at=1_000.0), True),
        (replace(LIVE, at=1_001.0), False),
    ],
)
def test_version_is_blamed_when_it_came_to_serve_shortly_before(rollout: RolledOut, is_blamed: bool) -> None:
    assert (blamed(finding(rollouts=(rollout,)), fresh_s=600.0) is not None) == is_blamed


def test_without_leave_it_is_offered_and_without_a_hook_not_even_that() -> None:
    incident, reasons = fold(Ledger(), blaming(), HOOKED)
    assert outcome(incident) == [(None, None)]
    assert Reason.ROLLBACK_OFFERED in reasons
    assert requests(incident) == []
    assert incident_of(blaming()).rollbacks == ()


def test_automatic_hook_is_asked_once_per_version_over_all_incidents() -> None:
    ledger, who = Ledger(), owners()
    first, reasons = fold(ledger, blaming("a"), who)
    assert Reason.ROLLBACK_ASKED in reasons
    assert outcome(first) == [(AUTOMATIC, "under way")]
    joined, _ = fold(ledger, blaming("b", slice="all"), who)
    assert len(requests(joined)) == 1
    fold(ledger, blaming("a", state="closed"), who)
    fold(ledger, blaming("b", state="closed", slice="all"), who)
    again, reasons = fold(ledger, blaming("c"), who, now=9_000.0)
    assert again.id != first.id
    assert Reason.ROLLBACK_ASKED_BEFORE in reasons
    assert outcome(again) == [(AUTOMATIC, f"asked for before, by {first.id}")]
    assert requests(again) == []
    other, _ = fold(ledger, blaming("d", version="8", rollouts=(replace(LIVE, version="8"),)), who)
    assert len(requests(other)) == 1


def test_incident_that_asked_is_remembered_longer_than_others() -> None:
    ledger, who = Ledger(), owners()
    first, _ = fold(ledger, blaming("a"), who)
    fold(ledger, blaming("a", state="closed"), who)
    for number in range(3):
        model = f"eta.{number}"
        fold(ledger, finding(f"x{number}", model=model), who, now=3_000.0)
        fold(ledger, finding(f"x{number}", "closed", model=model), who, now=3_001.0)
    for one in list(ledger):
        ledger.put(replace(one, notifications=tuple(replace(n, state="sent") for n in one.notifications)))
    gone = ledger.surplus(1)
    assert len(gone) == 3
    assert first.id not in gone


@pytest.mark.parametrize("case", ["ticket", "silenced", "acknowledged", "upstream"])
def test_nothing_is_asked_for_behind_anybodys_back(case: str) -> None:
    ledger, who, fact = Ledger(), owners(), blaming()
    if case == "ticket":
        fact = blaming(severity="ticket")
    if case == "silenced":
        silence = Silence(name="move", author="ada", reason="move", starts_at=0.0, ends_at=1e9)
        who = replace(who, silences=(silence,))
    if case == "acknowledged":
        held = fold(ledger, finding("first"), who)[0]
        for one in obey(
            ledger, Command(kind="acknowledge", incident=held.id, by="ada"), who, 2_000.0
        ).changed:
            ledger.put(one)
    if case == "upstream":
        geo = Owner(name="geo-team", models=("geo",), receivers=("geo-hook",))
        who = replace(
            who,
            owners=(*who.owners, geo),
            upstreams=(Upstream(name="geo", owner="geo-team", models=("eta.*",)),),
            grouping=replace(who.grouping, upstream_s=3_600.0, inhibit_s=600.0),
        )
        fold(ledger, finding("cause", model="geo"), who)
    decision = triage(ledger, fact, who, 2_001.0)
    (incident,) = (one for one in decision.changed if one.owner == "maps")
    assert outcome(incident) == [(None, None)]
    assert Reason.ROLLBACK_OFFERED in decision.reasons


@pytest.mark.parametrize(("where", "is_asked"), [("all", False), ("country=CH", False), ("country=DE", True)])
def test_harm_that_the_version_before_has_as_well_takes_no_fresh_one_back(where: str, is_asked: bool) -> None:
    ledger, who, fact = Ledger(), owners(), blaming("fresh", slice="country=CH")
    fold(ledger, finding("old", version="6", slice=where), who)
    incident, reasons = fold(ledger, fact, who)
    assert (Reason.ROLLBACK_ASKED in reasons) == is_asked
    assert (Reason.ROLLBACK_OFFERED in reasons) != is_asked
    assert outcome(incident) == [(AUTOMATIC, "under way") if is_asked else (None, None)]


def test_what_is_over_or_only_a_ticket_of_another_version_clears_no_fresh_one() -> None:
    for before in (finding("old", version="6"), finding("old", version="6", severity="ticket")):
        ledger = Ledger()
        fold(ledger, finding("first", slice="country=DE"), owners())
        fold(ledger, before, owners())
        if before.severity == "page":
            fold(ledger, replace(before, state="closed", closed_at=1_500.0), owners())
        assert Reason.ROLLBACK_ASKED in fold(ledger, blaming("fresh"), owners())[1]


def test_dry_run_sends_nothing_and_can_be_followed_by_earnest() -> None:
    ledger = Ledger()
    incident, reasons = fold(ledger, blaming(), owners(dry_run=True))
    assert Reason.ROLLBACK_DRY_RUN in reasons
    assert outcome(incident) == [(AUTOMATIC, DRY_RUN)]
    assert requests(incident) == []
    wish = Command(kind="rollback", incident=incident.id, by="ada", model="eta.city", version="7")
    assert obey(ledger, wish, owners(dry_run=True), 2_001.0).reasons == (Reason.REPEAT,)
    (asked,) = obey(ledger, wish, owners(), 2_002.0).changed
    assert outcome(asked) == [("ada", "under way")]


def test_wish_for_what_is_not_blamed_or_has_no_hook_changes_nothing() -> None:
    ledger = Ledger()
    incident, _ = fold(ledger, blaming(), HOOKED)
    wish = Command(kind="rollback", incident=incident.id, by="ada", model="eta.city", version="7")
    for command, who in ((replace(wish, version="6"), HOOKED), (wish, Owners())):
        assert obey(ledger, command, who, 2_001.0) == ((), (Reason.NO_SUCH_ROLLBACK,))
    (asked,) = obey(ledger, wish, HOOKED, 2_001.0).changed
    ledger.put(asked)
    assert obey(ledger, wish, HOOKED, 2_002.0).reasons == (Reason.REPEAT,)


def commit(book: IncidentBook, stored: dict[bytes, bytes]) -> None:
    stored |= {key: value for key, value in book.freeze({}).state if value is not None}
    book.committed()


def test_request_leaves_when_it_is_durable_and_after_a_crash_with_the_same_id() -> None:
    stored: dict[bytes, bytes] = {}
    book = new_book(Seen(), owners=owners())
    book.apply([record(blaming())])
    assert list(book.due(HOOK)) == []
    commit(book, stored)
    (due,) = book.due(HOOK)
    after = new_book(Seen(), owners=owners())
    for key, value in stored.items():
        after.restore(key, value)
    after.committed()
    (again,) = after.due(HOOK)
    assert again.notification.id == due.notification.id
    after.accepted(again, 2_001.0)
    commit(after, stored)
    last = new_book(Seen(), owners=owners())
    for key, value in stored.items():
        last.restore(key, value)
    last.committed()
    last.apply([record(blaming("a", state="closed")), record(blaming("b"))])
    commit(last, stored)
    assert list(last.due(HOOK)) == []


def test_trouble_that_is_over_withdraws_a_request_that_has_not_left() -> None:
    stored: dict[bytes, bytes] = {}
    book = new_book(Seen(), owners=owners())
    book.apply([record(blaming())])
    commit(book, stored)
    book.apply([record(blaming(state="closed"))])
    assert list(book.due(HOOK)) == []
    commit(book, stored)
    assert list(book.due(HOOK)) == []
    (incident,) = book.incidents()
    assert outcome(incident) == [(AUTOMATIC, f"failed: {RESOLVED}")]


def delivered(hook: HookServer, who: Owners, until: Callable[[IncidentBook], bool], now_ms: int) -> Incident:
    """Deliver a blaming finding to a real receiver, committing as the engine does."""

    async def play() -> Incident:
        http = Http(2.0, LOOPBACK)

        async def send(message: Message, _: Gate) -> Any:
            assert isinstance(message, Request)
            return await http.send(message)

        receivers = {HOOK: RollbackReceiver(f"{hook.url}/rollback", [SECRET])}
        telemetry = Telemetry(CollectorRegistry(), (HOOK,))
        delivery = Delivery(receivers, send, telemetry, Pace(base_s=0.01, cap_s=0.02))
        stored: dict[bytes, bytes] = {}
        loop = asyncio.get_running_loop()
        book = new_book(
            announce=delivery.wake,
            owners=who,
            urge=lambda: loop.call_soon(commit, book, stored),
        )
        delivery.attach(book)
        working = asyncio.create_task(delivery.run())
        book.apply([Rec(record(blaming()).value, now_ms)])
        commit(book, stored)
        try:
            ends = time.monotonic() + 5.0
            while not until(book):
                assert time.monotonic() < ends, "did not happen in time"
                await asyncio.sleep(0.005)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await http.close()
        (incident,) = book.incidents()
        return incident

    return asyncio.run(play())


def _is_settled(book: IncidentBook) -> bool:
    return all(one.state != "due" for incident in book.incidents() for one in requests(incident))


def test_wish_that_comes_after_the_end_asks_for_nothing() -> None:
    incident = incident_of(blaming("a"), blaming("a", state="closed"), owners=owners(automatic=False))
    ledger = Ledger()
    ledger.put(incident)
    wish = Command(kind="rollback", incident=incident.id, by="ada", model="eta.city", version="7")
    assert obey(ledger, wish, owners(automatic=False), 3_000.0) == ((), (Reason.RESOLVED_BEFORE,))


def test_request_is_withdrawn_while_those_before_it_are_sent() -> None:
    asked: list[str] = []

    async def play() -> IncidentBook:
        stored: dict[bytes, bytes] = {}
        loop = asyncio.get_running_loop()

        async def send(message: Message, _: Gate) -> Answer:
            assert isinstance(message, Request)
            asked.append(msgspec.json.decode(message.body)["data"]["model"])
            book.apply([record(blaming("b", state="closed", model="eta.bus"))])
            return Accepted()

        receivers = {HOOK: RollbackReceiver("http://hook.example/", [SECRET])}
        delivery = Delivery(receivers, send, Telemetry(CollectorRegistry(), (HOOK,)))
        book = new_book(
            announce=delivery.wake, owners=owners(), urge=lambda: loop.call_soon(commit, book, stored)
        )
        now_ms = int(time.time() * 1000)
        book.apply([Rec(record(one).value, now_ms) for one in (blaming("a"), blaming("b", model="eta.bus"))])
        commit(book, stored)
        delivery.attach(book)
        working = asyncio.create_task(delivery.run())
        ends = time.monotonic() + 5.0
        while not _is_settled(book):
            assert time.monotonic() < ends, "did not happen in time"
            await asyncio.sleep(0.005)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return book

    book = asyncio.run(play())
    assert asked == ["eta.city"]
    assert [outcome(one) for one in book.incidents()] == [
        [(AUTOMATIC, "accepted by the hook")],
        [(AUTOMATIC, f"failed: {RESOLVED}")],
    ]


def test_real_hook_gets_one_signed_request_under_one_id_however_often_it_fails() -> None:
    with hook_server() as hook:
        answers = iter([503, 429, 204])
        hook.answer = lambda got: (next(answers), {})
        incident = delivered(hook, owners(), _is_settled, int(time.time() * 1000))
    assert outcome(incident) == [(AUTOMATIC, "accepted by the hook")]
    assert len({got.headers["webhook-id"] for got in hook.got}) == 1
    assert len(hook.got) == 3
    last = hook.got[-1]
    said = Webhook(SECRET).verify(last.body, last.headers)
    assert said["type"] == "version.rollback_requested"
    wanted = {"model": "eta.city", "version": "7", "rolled_out_at": 900.0, "asked_by": AUTOMATIC}
    assert {name: said["data"][name] for name in wanted} == wanted
    assert said["data"]["incident"]["incident_id"] == incident.id


@pytest.mark.parametrize(("age_s", "status", "result"), [(0, 404, "http_404"), (601, 204, EXPIRED)])
def test_refused_or_late_request_is_not_made_again(age_s: int, status: int, result: str) -> None:
    asked: list[Got] = []
    with hook_server() as hook:
        hook.answer = lambda got: (asked.append(got), (status, {}))[1]
        incident = delivered(hook, owners(), _is_settled, int((time.time() - age_s) * 1000))
    assert outcome(incident) == [(AUTOMATIC, f"failed: {result}")]
    assert len(asked) == (0 if result == EXPIRED else 1)


def test_longest_request_is_within_the_limit_and_shows_no_secret() -> None:
    fact = finding("f" * 300, model="eta." + "€" * 9_000, version="€" * 9_000, summary="€" * 90_000)
    receiver = RollbackReceiver("http://127.0.0.1/tokentoken", [SECRET])
    request = receiver.message(*sample_rollback(incident_of(fact), HOOK), 3_000.0)
    assert len(request.body) <= 20_000
    assert msgspec.json.decode(request.body)["data"]["version"].endswith("…")
    assert "tokentoken" not in repr(request)
    assert SECRET not in f"{receiver!r}{request!r}"
