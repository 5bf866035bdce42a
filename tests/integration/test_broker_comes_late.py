"""A worker or pager that finds no broker says so, waits for it, and can be stopped at any time.

One whose broker goes away shows when that last answered.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.demo.processes import free_port, total
from stream.kafka.errors import EmbeddedKafkaError
from tests.chaos import service
from tests.chaos.nodes import Cluster
from tests.require import missing

ROOT = Path(__file__).parents[2]
AWAY_S = 15.0
"""Longer than a session: a process that no broker hears of is none of its group any more."""
BOTH = pytest.mark.parametrize("program", ["worker", "pager"])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        with Cluster() as made:
            yield made
    except EmbeddedKafkaError as reason:
        missing("kafka", str(reason))


@contextmanager
def started(program: str, log: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "stream", program],
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdout=told,
            stderr=told,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def environment(cluster: Cluster, program: str, prefix: str, wait_s: float) -> tuple[dict[str, str], int]:
    port = free_port()
    made = service.environment(cluster.brokers, prefix, 1)
    made |= {"TIDEWATCH_KAFKA_STARTUP_TIMEOUT_S": str(wait_s), f"TIDEWATCH_{program.upper()}_PORT": str(port)}
    return made | {"TIDEWATCH_PAGER_GROUP": f"{prefix}pager"}, port


def until_said(log: Path, words: str, within_s: float) -> str:
    deadline = time.monotonic() + within_s
    while words not in (told := log.read_text()):
        assert time.monotonic() < deadline, f"{words!r} was not said within {within_s} s but:\n{told}"
        time.sleep(0.1)
    return told


def until_owned(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while not service.owns(port):
        assert process.poll() is None
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def page(port: int, path: str) -> str:
    """Return what is served there; a status that is not 200 is an error."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def answered_at(port: int) -> float:
    return total(page(port, "/metrics"), "tidewatch_kafka_answered_timestamp_seconds")


def until_answered(port: int, since: float) -> None:
    """Return once Kafka is shown to have answered after this."""
    deadline = time.monotonic() + 60
    while not (shown := answered_at(port)) > since:
        assert time.monotonic() < deadline, f"answered at {shown}, not after {since}"
        time.sleep(0.2)


@BOTH
def test_a_broker_that_comes_late_is_waited_for(cluster: Cluster, program: str, tmp_path: Path) -> None:
    variables, port = environment(cluster, program, f"late-{program}.", 120)
    service.create_topics(variables)
    (node,) = cluster.nodes
    node.end(signal.SIGTERM)
    with started(program, tmp_path / "log", variables) as process:
        told = until_said(tmp_path / "log", "waiting for Kafka", 30)
        assert f"kafka.brokers '{cluster.brokers}'" in told
        node.start()
        node.await_answer()
        until_owned(process, port, tmp_path / "log")
        process.send_signal(signal.SIGTERM)
        assert process.wait(25) == 0
    told = (tmp_path / "log").read_text()
    assert "Kafka answers after" in told
    assert "Traceback" not in told


@BOTH
def test_a_broker_that_never_comes_ends_the_wait_in_one_line(program: str, tmp_path: Path) -> None:
    variables = {"TIDEWATCH_KAFKA_BROKERS": "127.0.0.1:1", "TIDEWATCH_KAFKA_STARTUP_TIMEOUT_S": "3"}
    with started(program, tmp_path / "log", variables) as process:
        assert process.wait(30) == 1
    first, last = (tmp_path / "log").read_text().splitlines()
    assert first.startswith(f"tidewatch {program}: waiting for Kafka, ")
    assert last.startswith("Error: kafka.brokers '127.0.0.1:1'")
    assert last.endswith("(waited 3 s, kafka.startup_timeout_s)")


@BOTH
def test_the_wait_ends_at_once_with_sigterm(program: str, tmp_path: Path) -> None:
    with started(program, tmp_path / "log", {"TIDEWATCH_KAFKA_BROKERS": "127.0.0.1:1"}) as process:
        until_said(tmp_path / "log", "waiting for Kafka", 30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) == 128 + signal.SIGTERM
    assert "Traceback" not in (tmp_path / "log").read_text()


@BOTH
def test_when_a_broker_last_answered_is_shown_while_it_is_away(
    cluster: Cluster, program: str, tmp_path: Path
) -> None:
    variables, port = environment(cluster, program, f"away-{program}.", 120)
    service.create_topics(variables)
    (node,) = cluster.nodes
    with started(program, tmp_path / "log", variables) as process:
        until_owned(process, port, tmp_path / "log")
        began = time.time()
        until_answered(port, since=began)
        node.end(signal.SIGTERM)
        away_since = time.time()
        time.sleep(AWAY_S)
        shown = answered_at(port)
        assert began < shown <= away_since
        health = json.loads(page(port, "/healthz"))
        assert (health["stalled"], health["kafka"]) == (False, "away"), "a restart would not help"
        time.sleep(1)
        assert answered_at(port) == shown, "it grows old"
        node.start()
        node.await_answer()
        until_answered(port, since=time.time())
        assert process.poll() is None


def test_a_worker_whose_broker_is_gone_stops_within_half_a_minute(cluster: Cluster, tmp_path: Path) -> None:
    variables, port = environment(cluster, "worker", "gone.", 120)
    service.create_topics(variables)
    (node,) = cluster.nodes
    with started("worker", tmp_path / "log", variables) as process:
        until_owned(process, port, tmp_path / "log")
        node.end(signal.SIGKILL)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = process.wait(30)
        took_s = time.monotonic() - began
    assert took_s < 25, took_s
    assert code in (0, 1)
