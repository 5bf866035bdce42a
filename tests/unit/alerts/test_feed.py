"""Rotas that are fetched: the last good one counts, and somebody is always told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from alerts.answer import Fetched, Refused, RetryLater
from alerts.config import OwnersError, load
from alerts.console import CHECK, routes
from alerts.feed import FETCHED, NO_CALENDAR, NOT_KEPT, TOO_COSTLY, Feed
from alerts.http import FETCHED_BYTES, Http
from alerts.ical import EVENTS, SureRota, parsed
from alerts.refresh import Refresh, refreshed
from alerts.telemetry import Telemetry
from tests.unit.alerts.samples import LOOPBACK, ROUTING_KEY, HookServer, hook_server

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()


def calendar(name: str = "ada", rule: str = "RRULE:FREQ=DAILY", start: str = "20260301T000000Z") -> bytes:
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//"),
        *(
            "BEGIN:VEVENT",
            "UID:1",
            f"DTSTART:{start}",
            "DURATION:PT24H",
            f"SUMMARY:{name}",
            rule,
            "END:VEVENT",
        ),
        "END:VCALENDAR",
    ]
    return "\r\n".join(line for line in lines if line).encode()


@pytest.fixture
def server() -> Iterator[HookServer]:
    with hook_server() as hook:
        hook.answer = lambda got: (200, {})
        hook.body = calendar()
        yield hook


def feed_of(copy: Path, url: str = "http://127.0.0.1/") -> Feed:
    return Feed("maps", url, 60.0, copy / "maps.ics", SureRota({"ada", "bob"}, ("boss",)))


def fetch(feed: Feed, http: Http | None = None) -> tuple[str, tuple[str, ...]]:
    async def go() -> tuple[str, tuple[str, ...]]:
        client = http or Http(2.0, LOOPBACK)
        try:
            return await refreshed(feed, client.fetch)
        finally:
            await client.close()

    return asyncio.run(go())


def test_whoever_the_fetched_calendar_names_has_the_turn(server: HookServer, tmp_path: Path) -> None:
    feed = feed_of(tmp_path, server.url)
    assert feed.rota.at(NOON) == ("boss",), "nothing was fetched yet"
    assert fetch(feed) == (FETCHED, ())
    assert feed.rota.at(NOON) == ("ada",)
    assert feed.rota.at(0.0) == ("boss",), "nobody's turn"
    assert server.got[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (503, b"", "http_503"),
        (302, b"", "http_302"),
        (404, b"", "http_404"),
        (200, b"<html>sign in</html>", NO_CALENDAR),
        (200, b"", NO_CALENDAR),
        (200, b"x" * (FETCHED_BYTES + 1), "too_large"),
        (200, calendar(rule="RRULE:FREQ=SECONDLY"), TOO_COSTLY),
        (200, calendar(start="nonsense"), NO_CALENDAR),
    ],
)
def test_a_failure_has_a_reason_and_leaves_the_last_good_one(
    server: HookServer, tmp_path: Path, status: int, body: bytes, reason: str
) -> None:
    feed = feed_of(tmp_path, server.url)
    fetch(feed)
    server.answer = lambda got: (status, {"location": server.url})
    server.body = body
    assert fetch(feed) == (reason, ())
    assert feed.rota.at(NOON) == ("ada",)
    assert feed.copy.read_bytes() == calendar()


def test_a_rota_is_fetched_from_no_address_that_requests_may_not_go_to(
    server: HookServer, tmp_path: Path
) -> None:
    assert fetch(feed_of(tmp_path, server.url), Http(2.0)) == ("address_not_allowed", ())
    assert server.got == []


def test_a_server_that_does_not_answer_is_a_timeout(server: HookServer, tmp_path: Path) -> None:
    server.before_answer = lambda: __import__("time").sleep(0.5)
    assert fetch(feed_of(tmp_path, server.url), Http(0.1, LOOPBACK)) == ("timeout", ())


def test_the_copy_outlives_the_pager(server: HookServer, tmp_path: Path) -> None:
    fetch(feed_of(tmp_path, server.url))
    again = feed_of(tmp_path).load()
    assert again.rota.at(NOON) == ("ada",)
    again.copy.write_bytes(b"damaged")
    assert feed_of(tmp_path).load().rota.at(NOON) == ("boss",)


def test_a_copy_that_cannot_be_kept_is_said_and_the_calendar_used(tmp_path: Path) -> None:
    feed = feed_of(tmp_path / "gone")
    assert feed.take(calendar()) == (NOT_KEPT, ())
    assert feed.rota.at(NOON) == ("ada",)


def test_a_name_that_is_no_receiver_has_no_turn_and_is_named(tmp_path: Path) -> None:
    feed = feed_of(tmp_path)
    assert feed.take(calendar("eve")) == (FETCHED, ("eve",))
    assert feed.rota.at(NOON) == ("boss",)


def test_a_calendar_that_breaks_at_a_look_up_is_nobodys_turn() -> None:
    class Broken:
        def at(self, instant: float) -> tuple[str, ...]:
            raise OverflowError

    assert SureRota({"ada"}, ("boss",), Broken()).at(NOON) == ("boss",)


@pytest.mark.parametrize("rule", ["RRULE:FREQ=HOURLY", "RRULE:FREQ=MINUTELY;COUNT=3", "rrule:freq=secondly"])
def test_rules_that_recur_within_a_day_are_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="daily or more rarely"):
        parsed(calendar(rule=rule))


def test_a_calendar_of_too_many_events_is_refused() -> None:
    event = calendar(rule="").split(b"BEGIN:VEVENT")[1].split(b"END:VEVENT")[0]
    many = b"".join(b"BEGIN:VEVENT" + event + b"END:VEVENT\r\n" for _ in range(EVENTS + 1))
    with pytest.raises(ValueError, match=f"want 1 to {EVENTS}"):
        parsed(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + many + b"END:VCALENDAR\r\n")


def test_refreshes_are_counted_by_reason_and_one_slow_feed_delays_no_other(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    feeds = [feed_of(tmp_path)._replace(name=name, url=name) for name in ("slow", "broken", "good")]

    async def answer(url: str) -> Fetched | RetryLater | Refused:
        if url == "slow":
            await asyncio.sleep(60)
        return Fetched(calendar()) if url == "good" else RetryLater("network")

    async def play() -> None:
        running = asyncio.create_task(Refresh(feeds, answer, Telemetry(registry, (), [*"abc"])).run())
        for _ in range(500):
            if counted("good", "fetched") and counted("broken", "network"):
                break
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def counted(rota: str, reason: str) -> float:
        found = registry.get_sample_value("tidewatch_rota_refreshes_total", {"rota": rota, "reason": reason})
        return found or 0.0

    asyncio.run(play())
    assert (counted("good", "fetched"), counted("broken", "network"), counted("slow", "fetched")) == (1, 1, 0)
    assert (
        registry.get_sample_value("tidewatch_rota_fetched_timestamp_seconds", {"rota": "good"}) > NOON - 1e9
    )
    assert registry.get_sample_value("tidewatch_rota_fetched_timestamp_seconds", {"rota": "broken"}) is None


OWNERS = """
[network]
allow = ["127.0.0.0/8"]
[[receiver]]
name = "ada"
kind = "pagerduty"
routing_key = "{key}"
[[receiver]]
name = "boss"
kind = "pagerduty"
routing_key = "{key}"
[[rota]]
name = "maps"
{rota}
[default_owner]
name = "maps"
receivers = ["rota:maps"]
"""


def write(tmp_path: Path, rota: str) -> Path:
    path = tmp_path / "owners.toml"
    path.write_text(OWNERS.format(key=ROUTING_KEY, rota=rota), encoding="utf-8")
    return path


def live(tmp_path: Path, url: str) -> Path:
    return write(tmp_path, f'url = "{url}"\ncopy_file = "{tmp_path}/maps.ics"\notherwise = ["boss"]')


def test_the_console_looks_into_the_calendar_as_it_is_now(server: HookServer, tmp_path: Path) -> None:
    path = str(live(tmp_path, server.url))
    at = "2026-03-02T12:00:00+00:00"
    result = CliRunner().invoke(
        routes, ["test", "--owners", path, "--at", at, "model=m"], catch_exceptions=False
    )
    assert "maps: ada is told" in result.output


def test_validate_says_why_a_rota_was_not_fetched_and_never_its_url(
    server: HookServer, tmp_path: Path
) -> None:
    path = live(tmp_path, f"{server.url}/secret-token")
    assert not [line for line in CHECK.read(path) if "note: rota" in line]
    server.body = calendar("eve")
    assert CHECK.read(path)[-1] == "note: rota maps gives turns to eve: no receivers"
    server.answer = lambda got: (500, {})
    (note,) = [line for line in CHECK.read(path) if "note: rota" in line]
    assert note == f"note: rota maps was not fetched: http_500; the copy {tmp_path}/maps.ics is used"
    assert "secret-token" not in repr(load(path, {}).feeds)


@pytest.mark.parametrize(
    ("rota", "fault"),
    [
        ('file = "a.ics"\nurl = "http://a.example/"', "want either of file, or url and copy_file"),
        ("", "want exactly one of url, url_file, url_env; got 0 of them"),
        ('url = "ftp://a.example/"', "url: want an http or https URL"),
        ('url = "http://a.example/"', "copy_file: want a file in a folder that exists"),
        (
            'url = "http://a.example/"\ncopy_file = "/nowhere/a.ics"',
            "copy_file: want a file in a folder that exists",
        ),
        ('url = "http://a.example/"\ncopy_file = "/tmp/a.ics"', "otherwise: want at least one receiver"),
        (
            'url = "http://a.example/"\ncopy_file = "/tmp/a.ics"\notherwise = ["eve"]',
            "rota 'maps' otherwise 'eve': want the name of a [[receiver]]",
        ),
    ],
)
def test_a_rota_that_could_leave_somebody_untold_is_a_fault(tmp_path: Path, rota: str, fault: str) -> None:
    with pytest.raises(OwnersError) as refused:
        load(write(tmp_path, rota), {})
    assert fault in str(refused.value)
