"""What a real HTTP receiver sees, and what its answers make the sender do."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.answer import (
    STOOD_STILL,
    UNFORESEEN,
    Accepted,
    Answer,
    Gone,
    Refused,
    Reply,
    RetryLater,
    by_status,
    retry_after_s,
)
from alerts.http import Http
from alerts.outbox import Due
from alerts.receivers.mail import Mail, MailServer
from alerts.receivers.pagerduty import PagerDutyReceiver
from alerts.receivers.request import Request
from alerts.receivers.webhook import WebhookReceiver
from alerts.smtp import Smtp
from tests.unit.alerts.samples import LOOPBACK, SECRET, HookServer, finding, new_book, record, sent


def post(request: Request, timeout_s: float = 5.0) -> Answer:
    return sent(Http(timeout_s, LOOPBACK), request)[0]


def to(url: str) -> Request:
    return Request(url, {"content-type": "application/json"}, b"{}")


def one_due() -> Due:
    book = new_book()
    book.apply([record(finding("a", summary="Genauigkeit fällt über 29 %"))])
    book.freeze({})
    book.committed()
    return next(iter(book.due("maps-hook")))


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Accepted()),
        (202, Accepted()),
        (204, Accepted()),
        (301, Refused("http_301")),
        (400, Refused("http_400")),
        (401, Refused("http_401")),
        (404, Refused("http_404")),
        (408, RetryLater("http_408")),
        (410, Gone()),
        (425, RetryLater("http_425")),
        (429, RetryLater("http_429")),
        (500, RetryLater("http_500")),
        (503, RetryLater("http_503")),
    ],
)
def test_status_decides_what_comes_next(hook: HookServer, status: int, answer: Answer) -> None:
    hook.answer = lambda got: (status, {"location": hook.url} if status == 301 else {})
    assert post(to(hook.url)) == answer
    assert len(hook.got) == 1


def test_retry_after_is_read(hook: HookServer) -> None:
    hook.answer = lambda got: (429, {"retry-after": "7"})
    assert post(to(hook.url)) == RetryLater("http_429", 7.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        ("120", 120.0),
        ("99999999", 3_600.0),
        (formatdate(1_060, usegmt=True), 60.0),
        (formatdate(900, usegmt=True), 0.0),
        ("Thu, 01 Jan 1970 00:17:40", 60.0),
        ("Thu, 01 Jan 1970 00:17:40 +9999999999999999999", None),
        ("Thu, 01 Jan 9999999999999999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now=1_000.0) == seconds


def test_what_nobody_thought_of_is_an_answer_too(hook: HookServer) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise RuntimeError(host)

    def read(reply: Reply) -> Answer:
        raise KeyError(reply.status)

    async def play() -> list[Answer]:
        strange, http = Http(2.0, LOOPBACK, resolve), Http(2.0, LOOPBACK)
        lost = MailServer("127.0.0.1", 99_999, "none")
        try:
            return [
                await strange.send(to("http://receiver.example/")),
                await http.send(to(hook.url)._replace(read=read)),
                await http.send(to(hook.url)._replace(headers={"authorization": "Bearer tökèn"})),
                await Smtp(2.0).send(Mail(lost, "a@b.example", "c@d.example", EmailMessage())),
            ]
        finally:
            await strange.close()
            await http.close()

    assert asyncio.run(play()) == [RetryLater(UNFORESEEN)] * 4


def test_a_request_that_the_gate_holds_back_is_tried_again(hook: HookServer) -> None:
    async def play() -> list[Answer]:
        http = Http(2.0, LOOPBACK)
        try:
            return [
                await http.send(to(hook.url), gate) for gate in (lambda: False, lambda: True, lambda: False)
            ]
        finally:
            await http.close()

    assert asyncio.run(play()) == [RetryLater(STOOD_STILL), Accepted(), RetryLater(STOOD_STILL)]
    assert len(hook.got) == 1


def test_a_request_whose_process_stood_still_after_the_headers_has_no_body(hook: HookServer) -> None:
    async def play() -> list[Answer]:
        http, opens = Http(2.0, LOOPBACK), iter((True, False, True, True))
        try:
            return [await http.send(to(hook.url), lambda: next(opens)) for _ in range(2)]
        finally:
            await http.close()

    assert asyncio.run(play()) == [RetryLater(STOOD_STILL), Accepted()]
    assert len([one for one in hook.got if one.body]) == 1


def test_accepted_answer_ignores_retry_after() -> None:
    assert by_status(Reply(202, "7", b"", True, 0.0)) == Accepted()


def test_silent_receiver_is_a_timeout(hook: HookServer) -> None:
    hook.before_answer = lambda: time.sleep(0.6)
    assert post(to(hook.url), timeout_s=0.2) == RetryLater("timeout")


def test_receiver_that_is_not_there_is_retried() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        assert post(to(url)) == RetryLater("network")


@pytest.mark.parametrize("sent", [100, 200_000])
def test_accepted_is_accepted_however_long_or_slow_the_body(hook: HookServer, sent: int) -> None:
    hook.answer = lambda got: (200, {"content-length": "999999999"})
    hook.body = b"x" * sent
    hook.after_body = lambda: time.sleep(3.0)
    started = time.monotonic()
    assert post(to(hook.url), timeout_s=2.0) == Accepted()
    assert time.monotonic() - started < (0.4 if sent > 65_536 else 1.5)


def test_proxy_of_the_environment_is_not_used(hook: HookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert post(to(hook.url)) == Accepted()


def test_signature_is_verified_by_the_standard_library_of_receivers(hook: HookServer) -> None:
    due = one_due()
    receiver = WebhookReceiver(f"{hook.url}/hook", [SECRET])
    assert post(receiver.message(due.incident, due.notification, time.time())) == Accepted()
    (got,) = hook.got
    body = Webhook(SECRET).verify(got.body, got.headers)
    assert body["data"]["summary"] == "Genauigkeit fällt über 29 %"
    assert got.headers["webhook-id"] == due.notification.id
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body.replace(b"eta.city", b"eta.town"), got.headers)


def test_repeat_has_the_same_id_and_body_and_a_fresh_timestamp() -> None:
    due = one_due()
    receiver = WebhookReceiver("http://127.0.0.1/", [SECRET])
    first, again = (receiver.message(due.incident, due.notification, at) for at in (1_000.9, 1_060.2))
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert (first.headers["webhook-timestamp"], again.headers["webhook-timestamp"]) == ("1000", "1060")
    assert first.headers["webhook-signature"] != again.headers["webhook-signature"]
    assert first.body == again.body


def test_pagerduty_is_posted_to_enqueue(hook: HookServer) -> None:
    due = one_due()
    hook.answer = lambda got: (202, {})
    receiver = PagerDutyReceiver("0" * 32, base_url=f"{hook.url}/")
    assert post(receiver.message(due.incident, due.notification, 0.0)) == Accepted()
    assert hook.got[0].path == "/v2/enqueue"


def test_request_shows_no_secret() -> None:
    assert repr(Request("https://x/token", {"a": "secret"}, b"key")) == "Request(3 bytes)"
