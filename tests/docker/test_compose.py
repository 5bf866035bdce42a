import asyncio
import json
import re
import time
import urllib.error
import urllib.request
import uuid

import pytest
from aiokafka import AIOKafkaProducer

from stream.demo.processes import free_port
from tests.dashboards import ask
from tests.docker.engine import compose, docker, inspect, run
from tests.docker.images import COMPOSE, ROOT

SERVICES = ("kafka", "topics", "worker", "pager", "prometheus", "alertmanager")
HEALTHY_TIMEOUT_S = 180
PREDICTIONS = 300


class Stack:
    """docker-compose.yml as one project of its own, with free ports."""

    def __init__(self, images):
        self.project = f"tidewatch-test-{uuid.uuid4().hex[:8]}"
        self.ports = {name: free_port() for name in ("KAFKA", "PROMETHEUS", "ALERTMANAGER", "GRAFANA")}
        self._environment = {
            **images,
            **{f"TIDEWATCH_{name}_PORT": str(port) for name, port in self.ports.items()},
            "TIDEWATCH_GRAFANA_PASSWORD": "not used here",
            "TIDEWATCH_TOPICS_PARTITIONS": "2",
        }

    def compose(self, *arguments):
        command = [*compose(), "-p", self.project, "-f", str(COMPOSE), *arguments]
        return run(command, environment=self._environment, directory=ROOT)

    def container(self, service):
        labels = (f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}")
        return docker(
            "ps", "-aq", *(part for label in labels for part in ("--filter", f"label={label}"))
        ).strip()

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def state(self, service):
        container = self.container(service)
        if not container:
            return "absent"
        state = inspect(container)["State"]
        return state.get("Health", {}).get("Status", state["Status"])

    def left(self):
        """Containers, networks and volumes of this project that are still there."""
        label = f"label=com.docker.compose.project={self.project}"
        return [
            line
            for kind in (["ps", "-aq"], ["network", "ls", "-q"], ["volume", "ls", "-q"])
            for line in docker(*kind, "--filter", label).splitlines()
        ]

    def log(self):
        """What stands still: the state of every service, and the last words of those that are not healthy."""
        states = {one: self.state(one) for one in SERVICES}
        sick = [one for one, state in states.items() if state not in ("healthy", "exited")]
        return f"{states}\n{self.compose('logs', '--no-color', '--tail=30', *sick) if sick else ''}"


@pytest.fixture(scope="module")
def stack(made):
    up = Stack(made)
    try:
        up.compose("up", "-d", "--no-build", *SERVICES)
        yield up
    finally:
        up.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
    assert up.left() == []


def wait(what, stack, timeout_s=60):
    """Return the first true answer of ``what``; fail with the log of all services after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    answer = None
    while time.monotonic() < deadline:
        try:
            answer = what()
        except (urllib.error.URLError, ConnectionError, TimeoutError) as fault:
            answer, seen = None, fault
        else:
            seen = answer
        if answer:
            return answer
        time.sleep(0.5)
    return pytest.fail(f"not within {timeout_s} s; last seen: {seen!r}\n{stack.log()}")


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


async def send(brokers):
    now = time.time()
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        for number in range(PREDICTIONS):
            fact = {"prediction_id": f"p{number}", "model": "eta", "at": now + number / 1000}
            prediction = {**fact, "type": "prediction", "version": "v1", "prediction": "yes"}
            outcome = {**fact, "type": "outcome", "outcome": "yes" if number % 4 else "no"}
            for kind, event in (("predictions", prediction), ("outcomes", outcome)):
                await producer.send(f"tidewatch.{kind}", json.dumps(event).encode(), key=b"eta")
        await producer.flush()


@pytest.mark.docker
def test_every_service_becomes_healthy_and_the_topics_are_made_once(stack):
    wanted = dict.fromkeys(SERVICES, "healthy") | {"topics": "exited"}
    wait(lambda: {one: stack.state(one) for one in SERVICES} == wanted, stack, HEALTHY_TIMEOUT_S)
    assert inspect(stack.container("topics"))["State"]["ExitCode"] == 0


@pytest.mark.docker
def test_events_sent_from_the_host_reach_the_worker_and_prometheus(stack):
    asyncio.run(send(f"localhost:{stack.ports['KAFKA']}"))
    published = stack.compose("port", "worker", "6066").strip()
    assert published.startswith("127.0.0.1:")
    exposed = wait(
        lambda: re.search(
            rf'joined_total{{reason="matched"}} {PREDICTIONS}\.0', read(f"http://{published}/metrics")
        ),
        stack,
    )
    assert exposed
    prometheus = stack.url("PROMETHEUS")
    for expr, value in (
        ('sum(tidewatch_events_total{type="prediction"})', PREDICTIONS),
        ('sum(tidewatch_events_total{type="outcome"})', PREDICTIONS),
        ("tidewatch:models:sum", 1),
        ('max(tidewatch_model_accuracy_ratio{model="eta",slice="all",window="rollout"})', 0.75),
    ):
        wait(lambda expr=expr, value=value: ask(prometheus, expr, True) == [value], stack)


@pytest.mark.docker
def test_prometheus_finds_every_target_up_and_no_alert_fires(stack):
    prometheus = stack.url("PROMETHEUS")
    for job in ("tidewatch-worker", "tidewatch-pager", "prometheus", "alertmanager"):
        wait(lambda job=job: ask(prometheus, f'up{{job="{job}"}}', True) == [1], stack)
    assert json.loads(read(f"{prometheus}/api/v1/alertmanagers"))["data"]["activeAlertmanagers"]
    assert ask(prometheus, 'ALERTS{alertstate="firing"}', True) == []


@pytest.mark.docker
def test_alertmanager_is_ready_with_the_shipped_configuration(stack):
    wait(lambda: read(f"{stack.url('ALERTMANAGER')}/-/ready"), stack)
    status = json.loads(read(f"{stack.url('ALERTMANAGER')}/api/v2/status"))
    assert "TidewatchNoWorker" in status["config"]["original"]


@pytest.mark.docker
def test_a_worker_stops_cleanly_when_told(stack):
    stack.compose("stop", "worker")
    assert inspect(stack.container("worker"))["State"]["ExitCode"] == 0
