"""The pager watches itself: what is overdue is counted, and keeps the heartbeat away."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry

from alerts.audit import Audit, Heartbeat
from alerts.book import IncidentBook
from alerts.http import Http
from alerts.telemetry import Telemetry
from stream.wire import encode
from tests.unit.alerts.samples import LOOPBACK, HookServer, Rec, finding, hook_server, new_book


def book_with_page(at: float) -> IncidentBook:
    book = new_book()
    book.apply([Rec(encode(finding("a")), timestamp=int(at * 1000))])
    book.freeze({})
    book.committed()
    return book


def beats(hook: HookServer, book: IncidentBook | None, for_s: float = 0.35) -> CollectorRegistry:
    registry = CollectorRegistry()

    async def watch() -> None:
        http = Http(2.0, LOOPBACK)
        audit = Audit(lambda: book, http.send, Telemetry(registry, ()), Heartbeat(hook.url, 0.1))
        try:
            async with asyncio.timeout(for_s):
                await audit.run()
        except TimeoutError:
            pass
        finally:
            await http.close()

    asyncio.run(watch())
    return registry


def test_heart_beats_while_nothing_is_overdue() -> None:
    with hook_server() as hook:
        registry = beats(hook, book_with_page(time.time()), for_s=1.0)
        accepted = registry.get_sample_value("tidewatch_heartbeats_total", {"reason": "accepted"})
        assert accepted >= 2
        assert len(hook.got) - accepted in {0, 1}  # the last may be cut off before its answer
        assert registry.get_sample_value("tidewatch_notifications_overdue") == 0


def test_overdue_notification_stops_the_heartbeat() -> None:
    with hook_server() as hook:
        registry = beats(hook, book_with_page(time.time() - 301.0))
        assert hook.got == []
        assert registry.get_sample_value("tidewatch_notifications_overdue") == 2


def test_pager_that_stands_by_has_no_heartbeat() -> None:
    with hook_server() as hook:
        beats(hook, None)
        assert hook.got == []


def test_heartbeat_shows_no_url() -> None:
    assert "token" not in repr(Heartbeat("https://beat.example/token", 60.0))
