"""On a Kafka with ACLs each program needs the rights of docs/operations.md, and says which one it lacks."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import ssl
import time
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner, Result

from stream.cli import main
from stream.demo.processes import Child, free_port
from stream.engine.connection import client_options
from stream.events import Outcome, Prediction, Rollout
from stream.kafka.errors import EmbeddedKafkaError
from stream.settings import Settings
from stream.wire import encode
from tests.integration.one_model import reach
from tests.require import missing
from tests.secured import Right, Secured, documented, secured_kafka
from tests.unit.alerts.samples import SECRET, HookServer, hook_server

RIGHTS = documented()
PARTITIONS = 2
TOKEN = "maps-maps-maps-maps-maps"
ASTRAY = "eta.astray"
DEAD = "tidewatch.dead-letters"
RUNS = {name: name.split() for name in RIGHTS} | {
    "replay --kafka": ["replay", "--kafka", "--json"],
    "rehearse": ["rehearse", "eta.rehearsal"],
}
SYSTEM = ssl.get_default_verify_paths().cafile or ""
PROTOCOL = "kafka.security_protocol: want what the broker speaks at that address"
LOGINS = [
    (
        "SAFE",
        {"SASL_PASSWORD": "wrong"},
        r"SCRAM-SHA-512; kafka.sasl_username, kafka.sasl_password\(_file\): want",
    ),
    ("SAFE", {"SASL_MECHANISM": "PLAIN"}, "kafka.sasl_mechanism: want one that the broker has enabled"),
    (
        "USERS",
        {"SECURITY_PROTOCOL": "PLAINTEXT"},
        f", PLAINTEXT: Unable to request metadata from .*{PROTOCOL}",
    ),
    ("USERS", {"SECURITY_PROTOCOL": "SASL_SSL"}, f", SASL_SSL: Unable connect to .*{PROTOCOL}"),
    ("TLS", {"SECURITY_PROTOCOL": "PLAINTEXT"}, PROTOCOL),
    ("TLS", {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "u", "SASL_PASSWORD": "p"}, PROTOCOL),
    (
        "TLS",
        {"SSL_CAFILE": SYSTEM},
        "kafka.ssl_cafile: want the authority that signed the broker's certificate",
    ),
    ("EXPIRED", {}, "certificate has expired .*want a new certificate for the broker"),
    ("ELSEWHERE", {}, "IP address mismatch.*kafka.brokers, or what the brokers advertise: want a name"),
    ("MUTUAL", {}, "or kafka.ssl_certfile, if it asks for the client's"),
    ("ASTRAY", {}, r"node with id 1.*\(advertised.listeners\): want one that is reached from here"),
]
LACKING = [
    pytest.param(program, right, id=f"{program} without {right}")
    for program, rights in RIGHTS.items()
    if program != "producers"
    for right in rights
]


class Site:
    """The broker with its topics, a user for each program with its rights, and a receiver of pages."""

    def __init__(self, kafka: Secured, folder: Path, hook: HookServer) -> None:
        self.kafka, self.folder, self.hook = kafka, folder, hook
        self.listener = "USERS"
        self.api = free_port()
        for program, rights in RIGHTS.items():
            kafka.let(_user(program), rights)
        (folder / "owners.toml").write_text(
            f"""
            [network]
            allow = ["127.0.0.0/8"]
            [[receiver]]
            name = "hook"
            kind = "webhook"
            url = "{hook.url}/hook"
            secret_env = "HOOK_SECRET"
            [links]
            incidents = "https://tidewatch.example/incidents"
            [api]
            port = {self.api}
            [[api.token]]
            name = "bot"
            token = "{TOKEN}"
            [default_owner]
            name = "ml-platform"
            receivers = ["hook"]
            """,
            encoding="utf-8",
        )

    def environment(self, user: str, **more: object) -> dict[str, str]:
        connection = self.kafka.connection(user, self.listener)
        told = {f"TIDEWATCH_KAFKA_{name}".upper(): one for name, one in connection.items()}
        told |= {"TIDEWATCH_TOPICS_PARTITIONS": PARTITIONS, "TIDEWATCH_KAFKA_STARTUP_TIMEOUT_S": 0}
        told |= {"TIDEWATCH_PAGER_OWNERS": self.folder / "owners.toml", "HOOK_SECRET": SECRET}
        return {name: str(one) for name, one in (told | more).items()}

    def run(self, program: str, *words: str, user: str = "", **more: object) -> Result:
        """Run a command, as its own user unless told otherwise."""
        own = self.environment(user or _user(program), TIDEWATCH_CONFIG="", **more)
        return CliRunner().invoke(main, words or RUNS[program], env=own)

    @contextmanager
    def process(self, program: str, user: str = "") -> Iterator[Child]:
        """Have a worker or pager run."""
        port = free_port()
        more = {f"TIDEWATCH_{program}_PORT".upper(): port}
        if program == "worker":
            more["TIDEWATCH_WORKER_DATA_DIR"] = self.folder / (user or program)
        child = Child(program, self.environment(user or _user(program), **more), self.folder, port)
        try:
            yield child
        finally:
            child.stop()

    async def send_what_is_wrong(self) -> None:
        """Send a record of each kind to every partition: one of them is the wrong one; and what is no event."""
        now = time.time()
        events = {
            "predictions": Prediction(prediction_id="1", model=ASTRAY, version="v", at=now, prediction="y"),
            "outcomes": Outcome(prediction_id="1", model=ASTRAY, at=now, outcome="y"),
            "rollouts": Rollout(model=ASTRAY, version="v", at=now, stage="live"),
        }
        connection = Settings(kafka=self.kafka.connection(_user("producers"), self.listener)).kafka
        async with AIOKafkaProducer(**client_options(connection), enable_idempotence=True) as producer:
            for name, event in events.items():
                for number in range(PARTITIONS):
                    for value in (encode(event), b"no event"):
                        await producer.send_and_wait(f"tidewatch.{name}", value, partition=number)

    def told(self) -> list[str]:
        """Return the kinds of what the receiver has got."""
        return [json.loads(got.body)["type"] for got in self.hook.got]


def _user(program: str) -> str:
    return program.replace(" ", "").replace("-", "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The topics are made by ``topics create``, with its rights."""
    folder = tmp_path_factory.mktemp("rights")
    try:
        with secured_kafka(folder) as kafka, hook_server() as hook:
            own = Site(kafka, folder, hook)
            made = own.run("topics create")
            assert made.exit_code == 0, made.output
            yield own
    except EmbeddedKafkaError as fault:
        missing("kafka", str(fault))


def ask(port: int, path: str, body: Any = None) -> Any:
    sent = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", sent, headers)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.load(answer)


def stop(child: Child) -> None:
    child.process.terminate()
    assert child.process.wait(30) == 0


def test_with_these_rights_alone_events_become_pages_and_what_is_known_outlives_a_restart(site: Site) -> None:
    opened, resolved = "incident.opened", "incident.resolved"
    for lives, listener in enumerate(("SAFE", "USERS"), 1):  # with TLS and a private authority, and without
        site.listener = listener
        with site.process("worker") as worker, site.process("pager") as pager:
            asyncio.run(worker.ready())
            asyncio.run(pager.ready())
            asyncio.run(site.send_what_is_wrong())
            done = site.run("rehearse", "rehearse", f"eta.{lives}")
            assert done.exit_code == 0, done.output
            asyncio.run(asyncio.wait_for(reach(worker, "tidewatch_dead_letters_total", 3 * PARTITIONS), 30))
            asyncio.run(asyncio.wait_for(reach(worker, "tidewatch_misrouted_total", 3), 30))
            asyncio.run(asyncio.wait_for(reach(pager, "tidewatch_notifications_total", 2), 30))
            made = ask(site.api, "/api/silences", {"model": "x", "for_s": 600, "text": "t", "by": "ada"})
            silences = ask(site.api, "/api/silences")["silences"]
            assert made in silences
            assert len(silences) == lives
            assert len(ask(site.api, "/api/incidents")["incidents"]) == lives
            stop(worker)
            stop(pager)
        assert site.told() == [opened, resolved] * lives
        figures = site.run("figures")
        assert figures.exit_code == 0, figures.output
        rows = [json.loads(line) for line in figures.stdout.splitlines()]
        judged = {one["model"] for one in rows if one["kind"] == "version"} - {ASTRAY}
        assert judged == {f"eta.{life}" for life in range(1, lives + 1)}
    assert site.run("topics check").output == "all 7 topics are right\n"
    replayed = site.run("replay --kafka")
    assert replayed.exit_code == 0, replayed.output
    assert json.loads(replayed.stdout.splitlines()[-1])["pages"] == 2


def without(site: Site, program: str, right: Right) -> str:
    """Make a user with all rights of a program but one."""
    user = f"{_user(program)}-{uuid4().hex[:8]}"
    site.kafka.let(user, set(RIGHTS[program]) - {right})
    return user


def wanted(user: str, right: Right) -> str:
    """Return what is to be said of a right that is missing."""
    if right.operation == "Create":
        return "not created: Authorization failed."
    if right.kind == "topic":
        return f": User:{user} may not {right.operation}\n"
    return f'"right": "{right.operation} on the {right.kind.replace("-", " ")} {right.name}'


@pytest.mark.parametrize(("program", "right"), [one for one in LACKING if one.values[1].kind == "topic"])
def test_a_program_does_not_begin_without_a_right_on_a_topic_and_names_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, program: str, right: Right
) -> None:
    for begin in ("stream.engine.process.run", "alerts.app.run"):  # it would not come back
        monkeypatch.setattr(begin, lambda *_, **__: pytest.fail(f"{program} began"))
    user = without(site, program, right)
    more = {"TIDEWATCH_TOPICS_PREFIX": "tidewatch.new."} if right.operation == "Create" else {}
    done = site.run(program, user=user, **more)
    assert done.exit_code == 1, done.output
    assert f"topic {right.name}" in done.output
    assert wanted(user, right) in done.output
    assert f"--operation {right.operation} --topic {right.name}" in done.output


@pytest.mark.parametrize(("program", "right"), [one for one in LACKING if one.values[1].kind != "topic"])
def test_a_process_ends_without_a_right_on_its_group_or_transactions_and_names_it(
    site: Site, program: str, right: Right
) -> None:
    user = without(site, program, right)
    with site.process(program, user) as child:
        code = child.process.wait(120)
    said = child.log.read_text()
    assert code == 1, said
    assert wanted(user, right) in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.parametrize(("listener", "changed", "why"), LOGINS)
def test_whoever_can_not_log_in_is_told_why(
    site: Site, monkeypatch: pytest.MonkeyPatch, listener: str, changed: dict[str, str], why: str
) -> None:
    monkeypatch.setattr(site, "listener", listener)
    for program in ("topics check", "worker", "pager"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # aiokafka does not wait for the end of TLS
            done = site.run(program, **{f"TIDEWATCH_KAFKA_{name}": value for name, value in changed.items()})
            gc.collect()
        assert done.exit_code == 1, done.output
        assert re.search(why, done.output), done.output
        assert done.output.count("\n") == 1


def test_a_right_that_is_taken_from_a_running_worker_ends_it_and_is_named(site: Site) -> None:
    (right,) = [one for one in RIGHTS["worker"] if (one.operation, one.name) == ("Write", DEAD)]
    user = f"worker-{uuid4().hex[:8]}"
    site.kafka.let(user, RIGHTS["worker"])
    with site.process("worker", user) as child:
        asyncio.run(child.ready())
        site.kafka.forbid(user, right)
        asyncio.run(site.send_what_is_wrong())
        code = child.process.wait(120)
    said = child.log.read_text()
    assert code == 1, said
    assert "TopicAuthorizationFailedError" in said
    assert DEAD in said
