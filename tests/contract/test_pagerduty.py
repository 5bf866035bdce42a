"""Our PagerDuty events against what PagerDuty documents, served by prism (``tests/peers/pagerduty.json``).

NOT SHOWN: that PagerDuty itself takes them. The file says what it follows and where it is stricter.
"""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from alerts.answer import Accepted, Answer, Refused
from alerts.change import announced
from alerts.http import Http
from alerts.incident import Action, Incident
from alerts.links import Links
from alerts.owners import Owner, Owners
from alerts.receivers.pagerduty import PagerDutyHerald, PagerDutyReceiver
from alerts.receivers.request import Request
from stream.demo.processes import free_port
from stream.events import Instant, Rollout
from stream.kafka.guard import die_with_parent
from tests import npm
from tests.unit.alerts.samples import LOOPBACK, ROUTING_KEY, finding, incident_of, notice, sent

LINKS = Links(incidents="https://tidewatch.example/incidents", runbooks="https://docs.example/runbooks")
START_S = 60.0
BODY_BYTES = 512_000
LONG = "€" * 9_000
INCIDENTS = {
    "page": incident_of(finding("a", causes=("rollout of 7 to live",))),
    "ticket": incident_of(finding("a", severity="ticket")),
    "long": incident_of(finding("a", model=f"eta.{LONG}", version=LONG, slice=LONG, summary=LONG * 9)),
}
Break = Callable[[dict[str, Any]], Any]
BREAKS: dict[str, tuple[Action, Break]] = {
    "no routing key": ("resolve", lambda event: event.pop("routing_key")),
    "short routing key": ("trigger", lambda event: event.update(routing_key="0123")),
    "unknown action": ("trigger", lambda event: event.update(event_action="explode")),
    "no payload": ("trigger", lambda event: event.pop("payload")),
    "no summary": ("trigger", lambda event: event["payload"].pop("summary")),
    "long summary": ("trigger", lambda event: event["payload"].update(summary="x" * 1_025)),
    "unknown severity": ("trigger", lambda event: event["payload"].update(severity="fatal")),
    "timestamp in words": ("trigger", lambda event: event["payload"].update(timestamp="yesterday")),
    "link to nowhere": ("trigger", lambda event: event.update(links=[{"text": "Runbook"}])),
    "long dedup key": ("trigger", lambda event: event.update(dedup_key="x" * 256)),
    "acknowledge of nothing": ("acknowledge", lambda event: event.pop("dedup_key")),
    "resolve of nothing": ("resolve", lambda event: event.pop("dedup_key")),
    "misspelt field": ("trigger", lambda event: event["payload"].update(custom_detials={})),
}


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running prism."""
    port, log = free_port(), tmp_path_factory.mktemp("prism") / "prism.log"
    program = npm.folder() / "node_modules" / ".bin" / "prism"
    words = [program, "mock", "-h", "127.0.0.1", "-p", str(port), npm.PEERS / "pagerduty.json"]
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, preexec_fn=die_with_parent())
    try:
        _await(f"http://127.0.0.1:{port}/", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers: there is nothing at the root
        except OSError:
            told = log.read_text(encoding="utf-8", errors="replace")
            assert process.poll() is None, told
            assert time.monotonic() < ends, told
            time.sleep(0.1)


def event(url: str, incident: Incident, action: Action) -> Request:
    return PagerDutyReceiver(ROUTING_KEY, url, LINKS).message(incident, notice(incident, action), 3_000.0)


def answer(request: Request) -> Answer:
    return sent(Http(20.0, LOOPBACK), request)[0]


@pytest.mark.parametrize("action", ["trigger", "acknowledge", "resolve"])
@pytest.mark.parametrize("name", INCIDENTS)
def test_our_events_are_as_documented(prism: str, name: str, action: Action) -> None:
    incident = replace(INCIDENTS[name], acknowledged_by="ada", acknowledged_at=2_100.0, resolved_at=2_200.0)
    request = event(prism, incident, action)
    assert answer(request) == Accepted()
    assert len(request.body) <= BODY_BYTES


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_event_is_refused_for_good(prism: str, name: str) -> None:
    action, change = BREAKS[name]
    request = event(prism, INCIDENTS["page"], action)
    broken = msgspec.json.decode(request.body)
    change(broken)
    assert answer(request._replace(body=msgspec.json.encode(broken))) == Refused("http_400")


def change(url: str, name: str = "eta.city") -> Request:
    rollout = Rollout(model=name, version=name, stage="canary", at=Instant(1_000.0), traffic_share=0.05)
    owners = Owners(default=Owner(name="maps", receivers=("pd",)), hear_changes=frozenset({"pd"}))
    (told,) = announced(rollout, owners, 2_000.0)
    return PagerDutyHerald(ROUTING_KEY, url).message(told)


@pytest.mark.parametrize("name", ["eta.city", "€" * 200])
def test_our_change_events_are_as_documented(prism: str, name: str) -> None:
    assert answer(change(prism, name)) == Accepted()


@pytest.mark.parametrize("field", ["summary", "routing_key"])
def test_a_broken_change_event_is_refused_for_good(prism: str, field: str) -> None:
    request = change(prism)
    broken = msgspec.json.decode(request.body)
    (broken if field in broken else broken["payload"]).pop(field)
    assert answer(request._replace(body=msgspec.json.encode(broken))) == Refused("http_400")
