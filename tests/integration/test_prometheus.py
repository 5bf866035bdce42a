"""Every query of the dashboard, asked of a real Prometheus that scrapes a real worker and a real pager."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from stream import topics
from stream.demo.processes import free_port
from tests.conftest import Kafka
from tests.dashboards import ROOT, RULES, ask, get, run_every_query
from tests.require import missing
from tests.unit.alerts.samples import ROUTING_KEY, SECRET, hook_server

SCRAPE_S = 1
READY_TIMEOUT_S = 60.0
SHOWN_TIMEOUT_S = 90.0
WARMUP, HARM = 1_600, 400
APART_S = 600.0
"""Between two events of the warm-up: inputs are held against their first week, a day at least at a time."""
COMMON = {"version": ".*", "__rate_interval": "20s", "__range": "5m"}
CLASSIFIER, REGRESSION = COMMON | {"model": "fraud"}, COMMON | {"model": "eta"}


@contextmanager
def process(command: list[str], folder: Path, name: str, ready: str, **environment: str) -> Iterator[None]:
    """Run ``command`` until the block ends; enter it when ``ready`` answers 200."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        )
        try:
            deadline = time.monotonic() + READY_TIMEOUT_S
            while not _answers(ready):
                assert running.poll() is None, (
                    f"{name} ended with {running.returncode}:\n{log.read_text()[-3000:]}"
                )
                assert time.monotonic() < deadline, f"{name} is not ready:\n{log.read_text()[-3000:]}"
                time.sleep(0.2)
            yield
        finally:
            running.terminate()
            try:
                running.wait(timeout=15)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def prometheus(folder: Path, targets: dict[str, int]) -> Iterator[str]:
    """Run Prometheus with the shipped rules on ``targets``, which map a job to a loopback port; yield its URL."""
    if shutil.which("prometheus") is None:
        missing("prometheus", "no prometheus on PATH")
    port = free_port()
    configuration = {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{own}"]}]}
            for job, own in targets.items()
        ],
    }
    path = folder / "prometheus.json"  # JSON is YAML
    path.write_text(json.dumps(configuration), encoding="utf-8")
    address, url = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
    command = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with process([*command, f"--web.listen-address={address}"], folder, "prometheus", f"{url}/-/ready"):
        yield url


def owners(folder: Path, hook: str, pagerduty: str) -> Path:
    """Write an owners file with a receiver that accepts, and one that refuses for good."""
    path = folder / "owners.toml"
    path.write_text(
        f"""
        [network]
        allow = ["127.0.0.0/8"]
        [[receiver]]
        name = "risk-hook"
        kind = "webhook"
        url = "{hook}/hook"
        secret = "{SECRET}"
        [[receiver]]
        name = "risk-pd"
        kind = "pagerduty"
        routing_key = "{ROUTING_KEY}"
        base_url = "{pagerduty}"
        [default_owner]
        name = "risk"
        receivers = ["risk-hook", "risk-pd"]
        """,
        encoding="utf-8",
    )
    return path


def facts(first: int, count: int, now: float, share_right: float) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield events of a classifier and a regression; the classifier is right in ``share_right`` of the cases."""
    live = {"type": "rollout", "version": "v1", "stage": "live", "at": now - 86_400.0}
    for model in ("fraud", "eta"):
        yield "rollouts", {**live, "model": model, "trained_until": now - 2 * 86_400.0}
    for number in range(first, first + count):
        right = (number * 7 % 20) / 20 < share_right
        at = now - 60 + number / 100 - max(0, WARMUP - number) * APART_S
        for model, said, was in (
            ("fraud", "yes", "yes" if right else "no"),
            ("eta", 10.0, 11.0 + number % 2),
        ):
            ids = {"prediction_id": f"{model}-{number}", "model": model}
            slices = {"country": ("DE", "FR")[number % 2]}
            prediction = {"version": "v1", "prediction": said, "slices": slices, "at": at}
            if said == "yes":
                prediction["scores"] = {"yes": 0.8, "no": 0.2}
            yield "predictions", {**ids, "type": "prediction", **prediction}
            yield "outcomes", {**ids, "type": "outcome", "outcome": was, "at": at + 2}


class Feed:
    """Sends events as a product would, and a few as it should not."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._prefix = kafka.settings().topics.prefix

    def send(self, first: int, count: int, share_right: float) -> None:
        asyncio.run(self._send(first, count, share_right))

    async def _send(self, first: int, count: int, share_right: float) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self._kafka.brokers) as producer:
            for kind, fact in facts(first, count, time.time(), share_right):
                key = str(fact["model"]).encode()
                await producer.send(f"{self._prefix}{kind}", json.dumps(fact).encode(), key=key)

    def send_wrong(self, number: int) -> None:
        asyncio.run(self._send_wrong(number))

    async def _send_wrong(self, number: int) -> None:
        """Send one record that is no event, and one to every partition: all but one are misrouted."""
        topic = f"{self._prefix}predictions"
        fact = {"type": "prediction", "model": "eta", "version": "v1", "prediction": 1.0, "at": time.time()}
        async with AIOKafkaProducer(bootstrap_servers=self._kafka.brokers) as producer:
            await producer.send_and_wait(topic, b"{no json", key=b"eta")
            for partition in range(self._kafka.settings().topics.partitions):
                value = json.dumps(fact | {"prediction_id": f"lost-{number}-{partition}"}).encode()
                await producer.send_and_wait(topic, value, key=b"eta", partition=partition)


@pytest.fixture
def site(kafka: Kafka, tmp_path: Path) -> Iterator[tuple[str, Feed]]:
    """A worker, a pager and a Prometheus on the session's broker; yields its URL and a feed."""
    ports = {"tidewatch-worker": free_port(), "tidewatch-pager": free_port()}
    asyncio.run(topics.create(kafka.settings()))
    with ExitStack() as stack:
        hook, pagerduty = stack.enter_context(hook_server()), stack.enter_context(hook_server())
        pagerduty.answer = lambda got: (400, {})
        own = {
            "worker": {"port": ports["tidewatch-worker"], "checkpoint_interval_s": 0.5},
            "pager": {"port": ports["tidewatch-pager"], "owners": owners(tmp_path, hook.url, pagerduty.url)},
        }
        for job, port in ports.items():
            name = job.removeprefix("tidewatch-")
            command = [sys.executable, "-m", "stream", name]
            ready = f"http://127.0.0.1:{port}/readyz"
            stack.enter_context(process(command, tmp_path, name, ready, **kafka.environment(**own)))
        url = stack.enter_context(prometheus(tmp_path, ports))
        yield url, Feed(kafka)


def until(what, timeout_s=SHOWN_TIMEOUT_S, every_s=0.5):
    """Return when ``what()`` has nothing to complain of; fail with its complaint after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while complaint := what():
        assert time.monotonic() < deadline, complaint
        time.sleep(every_s)


def test_every_query_of_the_dashboard_has_an_answer(site):
    url, feed = site
    until(
        lambda: [job for job in ("worker", "pager") if ask(url, f'up{{job="tidewatch-{job}"}}', True) != [1]]
    )
    feed.send(0, WARMUP, share_right=0.95)
    until(lambda: ask(url, 'tidewatch_joined_total{reason="matched"}', True) != [2 * WARMUP] and "no warm-up")
    feed.send_wrong(0)
    until(
        lambda: not ask(url, 'tidewatch_dead_letters_total{reason="bad_json"} > 0', True) and "no dead letter"
    )
    feed.send_wrong(1)
    feed.send(WARMUP, HARM, share_right=0.3)

    def silent() -> list[str]:
        answers = [run_every_query(url, chosen) for chosen in (CLASSIFIER, REGRESSION)]
        return [where for where in answers[0] if not any(answer[where] for answer in answers)]

    until(silent, every_s=2)
    model = "Model: $model / {}".format
    fraud, eta = run_every_query(url, CLASSIFIER), run_every_query(url, REGRESSION)
    assert [bool(fraud[model(one)]) for one in ("Accuracy A", "Mean absolute error A")] == [True, False]
    assert [bool(eta[model(one)]) for one in ("Accuracy A", "Mean absolute error A")] == [False, True]
    assert fraud["Fleet / Models A"][-1] == 2
    assert fraud["Fleet / Degraded now A"][-1] == 1
    assert fraud["Fleet / Open incidents A"][-1] == 1
    assert fraud["Fleet / Workers A"][-1] == 1
    assert max(fraud[model("Degraded A")]) == 1
    assert max(eta[model("Degraded A")]) == 0
    firing = {
        one["labels"]["alertname"] for one in get(url, "alerts", {})["alerts"] if one["state"] == "firing"
    }
    assert firing == {"TidewatchPagesRefused"}
