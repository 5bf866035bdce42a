"""Receivers that answer in ways of their own, byte by byte: nothing is lost, doubled or kept waiting by them."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from alerts.answer import Accepted, Answer, Refused, RetryLater
from alerts.dial import Names
from alerts.guard import Guard
from alerts.http import Http
from alerts.receivers import slack, teams
from alerts.receivers.mail import Mail, MailServer
from alerts.receivers.request import Request, read_request
from alerts.smtp import Smtp
from stream.demo.processes import free_port
from tests.unit.alerts.samples import LOOPBACK, HookServer, sent

Line = socket.socket
Talk = Callable[[Line, int], None]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def heard(line: Line) -> bytes:
    """One whole request with a body, or what came before its end."""
    got = b""
    while not got.endswith(b"{}"):
        if not (more := line.recv(65_536)):
            break
        got += more
    return got


@contextmanager
def receiver(talk: Talk) -> Iterator[str]:
    """A receiver that has ``talk`` with each connection, numbered from 0; yields its URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(line: Line, number: int) -> None:
        with line, contextlib.suppress(OSError):
            talk(line, number)

    def accept() -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                line, _ = listening.accept()
                threading.Thread(target=serve, args=(line, number), daemon=True).start()
                number += 1

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        listening.close()


def to(url: str) -> Request:
    return Request(url, {"webhook-id": "ntf_1"}, b"{}")


def slack_to(url: str) -> Request:
    return read_request(url, {}, slack.read)


def test_a_connection_that_is_closed_just_when_it_is_used_again_is_no_failure() -> None:
    got: list[bytes] = []

    def talk(line: Line, number: int) -> None:
        got.append(heard(line))
        line.sendall(OK)
        if number == 0:
            got.append(heard(line))  # the second request is on its way when the connection ends

    with receiver(talk) as url:
        assert sent(Http(5.0, LOOPBACK), to(url), to(url)) == [Accepted(), Accepted()]
    assert len(got) == 3
    assert all(b"webhook-id: ntf_1" in one for one in got)


def test_a_receiver_that_closes_every_connection_without_a_word_is_tried_later() -> None:
    with receiver(lambda line, number: heard(line) and None) as url:
        assert sent(Http(5.0, LOOPBACK), to(url)) == [RetryLater("network")]


def test_a_100_continue_is_no_answer_yet() -> None:
    def talk(line: Line, number: int) -> None:
        heard(line)
        line.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK)

    with receiver(talk) as url:
        assert sent(Http(5.0, LOOPBACK), to(url)) == [Accepted()]


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    def talk(line: Line, number: int) -> None:
        heard(line)
        for one in OK:
            line.sendall(bytes([one]))
            time.sleep(0.2)

    started = time.monotonic()
    with receiver(talk) as url:
        assert sent(Http(1.0, LOOPBACK), to(url)) == [RetryLater("timeout")]
    assert time.monotonic() - started < 2.0


def endless(line: Line, number: int) -> None:
    heard(line)
    line.sendall(CHUNKED)
    while True:
        line.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")


def test_of_a_body_without_end_the_beginning_is_read() -> None:
    with receiver(endless) as url:
        started = time.monotonic()
        assert sent(Http(5.0, LOOPBACK), to(url), slack_to(url)) == [Accepted(), RetryLater("unread_body")]
    assert time.monotonic() - started < 2.0


def answering(body: bytes, after_s: float = 0.0) -> Talk:
    def talk(line: Line, number: int) -> None:
        asked = heard(line)
        pack = b"gzip" in asked.lower()
        said = gzip.compress(body) if pack else body
        kind = b"content-encoding: gzip\r\n" if pack else b""
        line.sendall(b"HTTP/1.1 200 OK\r\n" + kind + b"content-length: %d\r\n\r\n" % len(said))
        time.sleep(after_s)
        line.sendall(said)
        time.sleep(1.0)

    return talk


def test_a_channel_that_says_ok_a_moment_after_its_status_is_not_told_again() -> None:
    with receiver(answering(b"ok", after_s=1.2)) as url:
        assert sent(Http(10.0, LOOPBACK), slack_to(url)) == [Accepted()]


def test_an_ok_whose_end_never_comes_is_one() -> None:
    def talk(line: Line, number: int) -> None:
        heard(line)
        line.sendall(CHUNKED + b"2\r\nok\r\n")
        time.sleep(10.0)

    with receiver(talk) as url:
        assert sent(Http(10.0, LOOPBACK), slack_to(url)._replace(body_s=0.2)) == [Accepted()]


def test_what_a_body_says_is_not_hidden_by_compression() -> None:
    wrong = b"Webhook message delivery failed with error: HTTP error 429"
    with receiver(answering(b"ok")) as url:
        assert sent(Http(5.0, LOOPBACK), slack_to(url)) == [Accepted()]
    with receiver(answering(wrong)) as url:
        assert sent(Http(5.0, LOOPBACK), read_request(url, {}, teams.read)) == [RetryLater("http_429")]


def test_an_error_that_teams_says_late_is_read_and_silence_is_no_success() -> None:
    wrong = b"Webhook message delivery failed with error: HTTP error 413"
    with receiver(answering(wrong, after_s=1.0)) as url:
        assert sent(Http(10.0, LOOPBACK), read_request(url, {}, teams.read)) == [Refused("http_413")]
    with receiver(answering(b"1", after_s=3.0)) as url:
        silent = read_request(url, {}, teams.read)._replace(body_s=0.2)
        assert sent(Http(10.0, LOOPBACK), silent) == [RetryLater("unread_body")]


def test_a_status_that_came_in_time_counts_though_its_body_takes_longer_than_the_deadline() -> None:
    with receiver(answering(b"x" * 10, after_s=0.9)) as url:
        assert sent(Http(0.3, LOOPBACK), to(url)) == [Accepted()]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(hook: HookServer, status: int) -> None:
    hook.answer = lambda got: (status, {"location": "/elsewhere"})
    assert sent(Http(5.0, LOOPBACK), to(hook.url)) == [Refused(f"http_{status}")]
    assert len(hook.got) == 1


def test_no_cookie_is_kept(hook: HookServer) -> None:
    hook.answer = lambda got: (200, {"set-cookie": "session=1; Path=/"})
    assert sent(Http(5.0, LOOPBACK), to(hook.url), to(hook.url)) == [Accepted()] * 2
    assert "cookie" not in hook.got[1].headers


@contextmanager
def mute(port: int) -> Iterator[None]:
    """A listener on 127.0.0.2 whose queue is full: connections to it hang, as behind a firewall that drops."""
    with contextlib.ExitStack() as held:
        full = held.enter_context(socket.socket())
        full.bind(("127.0.0.2", port))
        full.listen(0)
        for _ in range(4):
            caller = held.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.2", port))
        yield


async def two(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.2", "127.0.0.1"]


def test_an_address_that_never_answers_does_not_take_the_time_of_the_next_one(hook: HookServer) -> None:
    port = int(hook.url.rpartition(":")[2])
    started = time.monotonic()
    with mute(port):
        assert sent(Http(3.0, LOOPBACK, two), to(f"http://two.example:{port}/")) == [Accepted()]
    assert time.monotonic() - started < 1.5


def test_nor_does_it_take_the_time_of_the_next_mail_server() -> None:
    box = Controller(Sink(), hostname="127.0.0.1", port=free_port())
    box.start()
    letter = EmailMessage()
    letter.set_content("hello")
    mail = Mail(MailServer("mail.example", box.port, "none"), "a@t.example", "b@t.example", letter)
    started = time.monotonic()
    try:
        with mute(box.port):
            assert asyncio.run(Smtp(3.0, resolve=two).send(mail)) == Accepted()
    finally:
        box.stop()
    assert time.monotonic() - started < 2.0


def test_all_addresses_dead_is_tried_later() -> None:
    async def dead(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.3", "127.0.0.4", "::1"]

    url = "http://dead.example:9/"
    assert sent(Http(3.0, Guard(["127.0.0.0/8", "::1/128"]), dead), to(url)) == [RetryLater("network")]


def test_a_receiver_of_ipv6_only_is_reached() -> None:
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6: not shown that a receiver of it alone is reached")

    def serve() -> None:
        line, _ = listening.accept()
        with line:
            heard(line)
            line.sendall(OK)

    threading.Thread(target=serve, daemon=True).start()
    with listening:
        url = f"http://[::1]:{listening.getsockname()[1]}/"
        assert sent(Http(3.0, Guard(["::1/128"])), to(url)) == [Accepted()]


def test_a_name_that_nobody_knows_is_named_so_and_tried_again() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    http = Http(3.0, LOOPBACK, Names(unknown))
    assert sent(http, to("http://hook.invalid/")) == [RetryLater("name_not_resolved")]


def test_names_that_hang_keep_no_other_waiting_and_are_asked_for_once(hook: HookServer) -> None:
    done, asked = threading.Event(), []

    def look_up(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        if host.startswith("dead"):
            done.wait(20.0)
        return ["127.0.0.1"]

    port = hook.url.rpartition(":")[2]

    async def play() -> tuple[list[Answer], Answer, float]:
        http = Http(1.0, LOOPBACK, Names(look_up))
        try:
            dead = [http.send(to(f"http://dead-{n % 40}.example/")) for n in range(80)]
            waiting = asyncio.gather(*dead)
            await asyncio.sleep(0.2)
            started = time.monotonic()
            good = await http.send(to(f"http://good.example:{port}/"))
            took_s = time.monotonic() - started
            return await waiting, good, took_s
        finally:
            done.set()
            await http.close()

    dead, good, took_s = asyncio.run(play())
    assert (good, set(dead)) == (Accepted(), {RetryLater("timeout")})
    assert took_s < 0.8
    assert len(asked) == 41
