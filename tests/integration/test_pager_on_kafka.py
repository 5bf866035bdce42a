"""The pager on a real broker: findings in, signed pages out, whatever is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from standardwebhooks import Webhook

from stream import topics
from stream.demo.processes import free_port
from stream.engine.probe import Step
from stream.events import Finding
from stream.wire import encode
from tests.conftest import Kafka
from tests.unit.alerts.samples import ROUTING_KEY, SECRET, Got, HookServer, finding, hook_server

ROOT = Path(__file__).parents[2]
OPENED, RESOLVED = "incident.opened", "incident.resolved"
TOKEN = "maps-maps-maps-maps-maps"
START = "from alerts.app import pager; pager()"


class Site:
    """A cluster's topics, two receivers, an owners file, and pagers to start and kill."""

    def __init__(self, kafka: Kafka, folder: Path, hook: HookServer, pagerduty: HookServer) -> None:
        self.kafka = kafka
        self.folder = folder
        self.hook = hook
        self.pagerduty = pagerduty
        pagerduty.answer = lambda got: (202, {})
        self.port = 0
        self._running: list[subprocess.Popen[bytes]] = []
        (folder / "owners.toml").write_text(
            f"""
            [network]
            allow = ["127.0.0.0/8"]
            [[receiver]]
            name = "maps-hook"
            kind = "webhook"
            url = "{hook.url}/hook"
            secret_env = "MAPS_SECRET"
            [[receiver]]
            name = "maps-pd"
            kind = "pagerduty"
            routing_key_env = "MAPS_PD"
            base_url = "{pagerduty.url}"
            [links]
            incidents = "https://tidewatch.example/incidents"
            [api]
            port = 0
            link_key_env = "MAPS_PD"
            [[api.token]]
            name = "maps-bot"
            owner = "maps"
            token = "{TOKEN}"
            [[owner]]
            name = "maps"
            models = ["eta.*"]
            receivers = ["maps-hook", "maps-pd"]
            [default_owner]
            name = "ml-platform"
            """,
            encoding="utf-8",
        )
        asyncio.run(topics.create(kafka.settings()))

    @contextmanager
    def pager(self, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        self.port = free_port()
        overrides = {
            "pager": {"owners": self.folder / "owners.toml", "port": self.port},
            "kafka": {"session_timeout_s": self.kafka.short_session_s},
        }
        environ = os.environ | self.kafka.environment(**overrides)
        environ |= {"PYTHONPATH": str(ROOT), "MAPS_SECRET": SECRET, "MAPS_PD": ROUTING_KEY}
        environ |= variables
        with (self.folder / "pager.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", START], env=environ, stderr=log, cwd=self.folder
            )
            self._running.append(process)
            try:
                yield process
            finally:
                process.kill()
                process.wait()
                self._running.remove(process)

    def alive(self) -> bool:
        """Whether some pager runs, unless none is meant to."""
        return any(process.poll() is None for process in self._running)

    def log(self) -> list[dict[str, object]]:
        written, _, _ = (self.folder / "pager.log").read_text(encoding="utf-8").rpartition("\n")
        lines = written.splitlines()
        return [json.loads(line) if line.startswith("{") else {"event": line} for line in lines]

    def api_ports(self) -> list[object]:
        return [line["port"] for line in self.log() if line["event"] == "api listens"]

    def send(self, *findings: Finding | bytes) -> None:
        async def produce() -> None:
            topic = self.kafka.settings().topics.findings
            async with AIOKafkaProducer(bootstrap_servers=self.kafka.brokers) as producer:
                for fact in findings:
                    value = fact if isinstance(fact, bytes) else encode(fact)
                    await producer.send_and_wait(topic, value, key=b"eta.city")

        asyncio.run(produce())

    def dead_letters(self) -> list[bytes | None]:
        async def consume() -> list[bytes | None]:
            async with AIOKafkaConsumer(
                self.kafka.settings().topics.dead_letters,
                bootstrap_servers=self.kafka.brokers,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
            ) as consumer:
                batches = await consumer.getmany(timeout_ms=10_000)
            return [record.value for batch in batches.values() for record in batch]

        return asyncio.run(consume())


@pytest.fixture
def site(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with hook_server() as hook, hook_server() as pagerduty:
        yield Site(kafka, tmp_path, hook, pagerduty)


def until(true: Callable[[], bool], site: Site, within_s: float = 60.0) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert site.alive(), f"no pager runs: {site.log()[-20:]}"
        assert time.monotonic() < ends, f"not within {within_s} s: {site.log()[-20:]}"
        time.sleep(0.05)


def page_now() -> Finding:
    return finding("a", proven_at=time.time())


def test_findings_become_a_signed_page_and_a_resolve_with_one_dedup_key(
    site: Site,
) -> None:
    with site.pager():
        until(lambda: ready(site.port), site)
        site.send(b"no finding", page_now(), finding("b"))
        until(lambda: len(site.hook.got) == 1 and len(site.pagerduty.got) == 1, site)
        site.send(finding("a", "closed"), finding("b", "closed"))
        until(lambda: len(site.hook.got) == 2 and len(site.pagerduty.got) == 2, site)
        until(lambda: metric(site.port, 'tidewatch_incidents{owner="maps",state="resolved"}') == 1, site)
        sent = 'tidewatch_notifications_total{action="resolve",receiver="maps-pd",result="sent"}'
        assert metric(site.port, sent) == 1
        assert metric(site.port, "tidewatch_page_latency_seconds_count") == 2
        assert metric(site.port, 'tidewatch_findings_refused_total{reason="bad_json"}') == 1
    opened, resolved = (Webhook(SECRET).verify(got.body, got.headers) for got in site.hook.got)
    assert (opened["type"], resolved["type"]) == ("incident.opened", "incident.resolved")
    assert opened["data"]["owner"] == "maps"
    events = [json.loads(got.body) for got in site.pagerduty.got]
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    keys = {event["dedup_key"] for event in events} | {
        opened["data"]["dedup_key"],
        resolved["data"]["dedup_key"],
    }
    assert len(keys) == 1
    assert site.dead_letters() == [b"no finding"]
    pages = [line for line in site.log() if line["event"] == "page sent"]
    assert [page["owner"] for page in pages] == ["maps"] * 4
    assert SECRET not in (site.folder / "pager.log").read_text(encoding="utf-8")


def test_pager_killed_while_it_sends_repeats_with_the_same_id(site: Site) -> None:
    asked: list[str] = []
    release = Event()

    def hang(got: Got) -> tuple[int, dict[str, str]]:
        asked.append(got.headers["webhook-id"])
        return (204, {})

    site.hook.answer = hang
    site.hook.before_answer = lambda: None if release.is_set() else time.sleep(1.0)
    with site.pager() as first:
        site.send(page_now())
        until(lambda: len(asked) == 1 and len(site.pagerduty.got) == 1, site)
        first.send_signal(signal.SIGKILL)
        first.wait()
    release.set()
    with site.pager():
        until(lambda: len(asked) >= 2, site)
        site.send(finding("a", "closed"))
        until(lambda: len(set(asked)) == 2, site)
    assert asked[0] == asked[1]


def test_page_waits_in_kafka_while_its_receiver_is_down_and_pagers_come_and_go(site: Site) -> None:
    site.hook.answer = lambda got: (503, {})
    with site.pager() as first:
        site.send(page_now())
        until(lambda: len(site.hook.got) >= 2, site)
        first.send_signal(signal.SIGKILL)
        first.wait()
    failed = {got.headers["webhook-id"] for got in site.hook.got}
    tries = len(site.hook.got)
    site.hook.answer = lambda got: (204, {})
    with site.pager() as second:
        until(lambda: len(site.hook.got) > tries, site)
        until(
            lambda: any(
                line["event"] == "page sent" and line["receiver"] == "maps-hook" for line in site.log()
            ),
            site,
        )
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
    assert {got.headers["webhook-id"] for got in site.hook.got} == failed
    sent = len(site.hook.got)
    with site.pager():
        site.send(finding("a", "closed"))
        until(lambda: len(site.hook.got) > sent, site)
    assert json.loads(site.hook.got[-1].body)["type"] == "incident.resolved"
    assert len(site.hook.got) == sent + 1


STEPS = [(step, number) for step in Step for number in (1, 2)]
"""The first checkpoint holds the intent to notify, the second one that the receivers have it."""


@pytest.mark.parametrize(("step", "number"), STEPS, ids=[f"{step}-{number}" for step, number in STEPS])
def test_pager_killed_at_any_step_of_a_checkpoint_loses_nothing_and_repeats_under_one_id(
    site: Site, step: Step, number: int
) -> None:
    with site.pager(TIDEWATCH_FAULT=f"kill:{step}:{number}") as doomed:
        site.send(page_now())
        assert doomed.wait(30) == -signal.SIGKILL
    with site.pager():
        until(lambda: len(site.hook.got) >= 1 and len(site.pagerduty.got) >= 1, site)
        site.send(finding("a", "closed"))
        until(
            lambda: action(site.pagerduty.got[-1]) == "resolve" and kind(site.hook.got[-1]) == RESOLVED, site
        )
    said = [(kind(got), got.headers["webhook-id"]) for got in site.hook.got]
    assert [one for one, _ in dict.fromkeys(said)] == [OPENED, RESOLVED]
    assert [one for one, _ in said] == sorted(one for one, _ in said)
    assert len({json.loads(got.body)["dedup_key"] for got in site.pagerduty.got}) == 1
    assert [*dict.fromkeys(action(got) for got in site.pagerduty.got)] == ["trigger", "resolve"]


def test_any_pager_answers_and_of_two_acknowledgements_one_wins(site: Site) -> None:
    with site.pager(), site.pager():
        site.send(page_now())
        until(lambda: len(site.hook.got) == 1 and len(site.pagerduty.got) == 1, site)
        until(lambda: len(site.api_ports()) == 2, site)
        ports = site.api_ports()
        data = json.loads(site.hook.got[0].body)["data"]
        path = f"/api/incidents/{data['incident_id']}"
        until(lambda: all(ask(port, path)[0] == 200 for port in ports), site)
        with ThreadPoolExecutor(2) as both:
            wishes = [both.submit(ask, port, f"{path}/acknowledge", {"by": f"{port}"}) for port in ports]
        answers = [wish.result() for wish in wishes]
        assert [status for status, _ in answers] == [200, 200]
        assert len({json.loads(body)["acknowledged_by"] for _, body in answers}) == 1
        until(lambda: [action(got) for got in site.pagerduty.got] == ["trigger", "acknowledge"], site)
        for port in ports:
            page = data["incident_url"].removeprefix("https://tidewatch.example")
            status, text = ask(port, page, token="")
            assert status == 200
            assert "has it, since" in text
        assert ask(ports[0], path, token="wrong-wrong-wrong-wrong-wrong")[0] == 401
        status, text = ask(
            ports[0], "/api/silences", {"model": "eta.*", "for_s": 600, "text": "move", "by": "ada"}
        )
        assert status == 200
        made = json.loads(text)
        until(lambda: listed(ports[1]) == [made], site)
        assert ask(ports[1], f"/api/silences/{made['id']}/end", {"by": "eve"})[0] == 200
        until(lambda: [listed(port) for port in ports] == [[], []], site)
    assert TOKEN not in (site.folder / "pager.log").read_text(encoding="utf-8")
    assert "pass=" not in (site.folder / "pager.log").read_text(encoding="utf-8")


def listed(port: object) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(ask(port, "/api/silences")[1])["silences"]
    return found


def ask(port: object, path: str, body: object = None, token: str = TOKEN) -> tuple[int, str]:
    sent = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", sent, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as fault:
        return fault.code, ""


def kind(got: Got) -> str:
    return str(json.loads(got.body)["type"])


def action(got: Got) -> str:
    return str(json.loads(got.body)["event_action"])


def test_second_pager_stands_by_and_takes_over(site: Site) -> None:
    with site.pager() as first:
        site.send(page_now())
        until(lambda: len(site.hook.got) == 1, site)
        with site.pager():
            first.send_signal(signal.SIGTERM)
            first.wait(30)
            site.send(finding("a", "closed"))
            until(lambda: len(site.hook.got) == 2 and len(site.pagerduty.got) == 2, site)
    assert [json.loads(got.body)["type"] for got in site.hook.got] == ["incident.opened", "incident.resolved"]
    assert [json.loads(got.body)["event_action"] for got in site.pagerduty.got] == ["trigger", "resolve"]


def test_pager_that_stood_still_wakes_nobody_for_what_ended_meanwhile(site: Site) -> None:
    file = site.folder / "owners.toml"
    others = 'receivers = ["maps-hook"]\n[[owner.escalation]]\nafter_s = 10\nreceivers = ["maps-pd"]'
    text = file.read_text(encoding="utf-8").replace('receivers = ["maps-hook", "maps-pd"]', others)
    file.write_text(text, encoding="utf-8")
    with site.pager(TIDEWATCH_KAFKA_SESSION_TIMEOUT_S="30") as still:
        until(lambda: ready(site.port), site)
        site.send(page_now())
        until(lambda: len(site.hook.got) == 1, site)
        still.send_signal(signal.SIGSTOP)
        site.send(finding("a", "closed"))
        time.sleep(11.0)
        still.send_signal(signal.SIGCONT)
        until(lambda: len(site.hook.got) == 2, site)
        stood = [line for line in site.log() if str(line["event"]).startswith("stood still")]
        assert stood
    assert [kind(got) for got in site.hook.got] == [OPENED, RESOLVED]
    assert site.pagerduty.got == []


def test_an_owners_file_that_breaks_while_the_pager_runs_stops_no_page_and_is_told(site: Site) -> None:
    owners = site.folder / "owners.toml"
    right = owners.read_text(encoding="utf-8")
    with site.pager():
        until(lambda: ready(site.port), site)
        assert metric(site.port, "tidewatch_owners_file_unusable") == 0
        owners.write_text(right.replace("maps-pd", "maps-phone", 1), encoding="utf-8")
        until(lambda: metric(site.port, "tidewatch_owners_file_unusable") == 1, site)
        assert metric(site.port, "tidewatch_owners_file_changed") == 1
        site.send(page_now())
        until(lambda: len(site.hook.got) == 1 and len(site.pagerduty.got) == 1, site)
        owners.write_text(right, encoding="utf-8")
        until(lambda: metric(site.port, "tidewatch_owners_file_unusable") == 0, site)
    (told,) = [line for line in site.log() if "can't be used" in str(line["event"])]
    assert "owners.toml: owner[0].receivers 'maps-pd': want the name of a [[receiver]]" in str(told["faults"])
    assert ROUTING_KEY not in str(told)


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def metric(port: int, series: str) -> float | None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = [line for line in text.splitlines() if line.startswith(f"{series} ")]
    return float(found[0].split()[-1]) if found else None
