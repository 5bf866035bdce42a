"""No receiver's URL reaches what only the pager can reach, however it is spelled."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator, Sequence

import pytest

from alerts.answer import Accepted, Answer, Refused, RetryLater
from alerts.guard import Guard
from alerts.http import Http
from alerts.receivers.request import Request
from tests.unit.alerts.samples import HookServer, hook_server, sent

BLOCKED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::10.0.0.1",
    "64:ff9b:1:0:7f:0:100:0",
    "64:ff9b:1:a00:0:100::",
    "::ffff:0:127.0.0.1",
    "::ffff:0:10.0.0.1",
    "::ffff:0:a9fe:a9fe",
    "100:0:0:1::1",
    "200::1",
    "2001:1::1",
    "2001:2::1",
    "2001:3::1",
    "2001:20::1",
    "4000::1",
    "8000::1",
    "100::1",
    "2001:db8::1",
    "2001::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "2001:0:7f00:1::",
]
BLOCKED += ["not an address", ""]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "172.15.0.1",
    "172.32.0.1",
    "100.63.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::8.8.8.8",
    "2001:200::1",
    "2002:808:808::",
]


@pytest.mark.parametrize("address", BLOCKED)
def test_address_that_is_not_public_is_kept_out(address: str) -> None:
    assert not Guard().lets_through(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_let_through(address: str) -> None:
    assert Guard().lets_through(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "fd00::5", "1.1.1.1"])
def test_allowed_network_is_let_through(address: str) -> None:
    assert Guard(["127.0.0.0/8", "fd00::/16"]).lets_through(address)


SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.000.000.001",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0",
    "0.0.0.0",
    "0x0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "ip6-localhost",
    "127.0.0.1.",
    "127.8.8.8",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[::1%25lo]",
    "user:pass@127.0.0.1",
    "hooks.slack.com@127.0.0.1",
    "127%2e0%2e0%2e1",
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "2852039166",
    "0xa9fea9fe",
    "[fd00:ec2::254]",
    "[64:ff9b::7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[2002:7f00:1::]",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "100.100.100.200",
]
SPELLINGS += [
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021",
    "\uff4cocalhost",
]


@pytest.fixture(scope="module")
def inner() -> Iterator[tuple[int, list[str]]]:
    """A port that every address of this host listens on, and who knocked."""
    knocks: list[str] = []
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    listener.settimeout(0.05)
    ended = threading.Event()

    def listen() -> None:
        while not ended.is_set():
            try:
                knocker, place = listener.accept()
            except TimeoutError:
                continue
            knocks.append(place[0])
            knocker.close()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield listener.getsockname()[1], knocks
    finally:
        ended.set()
        thread.join()
        listener.close()


def post(http: Http, *urls: str) -> list[Answer]:
    return sent(http, *(Request(url, {}, b"{}") for url in urls))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_reaches_the_inside(spelling: str, inner: tuple[int, list[str]]) -> None:
    port, knocks = inner
    (answer,) = post(Http(2.0), f"http://{spelling}:{port}/latest/meta-data")
    assert isinstance(answer, Refused | RetryLater)
    assert answer.reason in ("address_not_allowed", "name_not_resolved", "bad_url")
    assert knocks == []


def test_the_inside_would_have_heard(inner: tuple[int, list[str]]) -> None:
    port, knocks = inner
    post(Http(2.0, Guard(["127.0.0.0/8"])), f"http://127.1:{port}/")
    assert knocks.pop() == "::ffff:127.0.0.1"


def test_name_is_resolved_once_and_one_inner_address_among_its_addresses_is_enough(hook: HookServer) -> None:
    asked: list[str] = []
    answers = iter([["8.8.8.8", "127.0.0.1"], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    url = hook.url.replace("127.0.0.1", "rebind.example")
    assert post(Http(2.0, resolve=rebinding), url, url) == [RetryLater("address_not_allowed", most=12)] * 2
    assert asked == ["rebind.example"] * 2
    assert hook.got == []


def test_connection_goes_to_the_checked_address_whatever_the_name_means_next(hook: HookServer) -> None:
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return next(answers)

    http = Http(2.0, Guard(["127.0.0.2/32"]), rebinding)
    (answer,) = post(http, hook.url.replace("127.0.0.1", "rebind.example"))
    assert answer == RetryLater("network")  # nobody listens on 127.0.0.2, and 127.0.0.1 was never asked for
    assert hook.got == []


def test_next_address_of_a_name_is_tried_when_the_first_is_dead(hook: HookServer) -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    url = hook.url.replace("127.0.0.1", "two.example")
    assert post(Http(2.0, Guard(["127.0.0.0/8"]), two), url) == [Accepted()]
    assert hook.got[0].headers["host"].startswith("two.example:")


def test_redirect_to_the_inside_is_not_followed(hook: HookServer) -> None:
    with hook_server() as inside:
        hook.answer = lambda got: (307, {"location": inside.url})
        assert post(Http(2.0, Guard(["127.0.0.0/8"])), hook.url) == [Refused("http_307")]
        assert inside.got == []


def test_no_url_is_logged(hook: HookServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        post(Http(2.0, Guard(["127.0.0.0/8"])), f"{hook.url}/T0/top-secret", "http://top-secret.invalid/")
    assert "top-secret" not in caplog.text
