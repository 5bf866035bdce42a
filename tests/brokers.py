"""The broker the tests use: one given by the environment, else one in Docker, else the embedded one."""

import gc
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from stream.demo.processes import free_port
from stream.kafka import embedded, jars
from stream.kafka.errors import EmbeddedKafkaError
from stream.settings import KafkaSettings

DEFAULT_IMAGE = f"apache/kafka:{jars.VERSION}"
CONTAINER_TIMEOUT_S = 90.0


class Unavailable(Exception):
    """This way to a broker is closed here; the message says why."""


@dataclass(frozen=True)
class Broker:
    """A running broker: its address, where it came from, and a short session that it allows."""

    brokers: str
    source: str
    short_session_s: float = 2.0


@contextmanager
def from_environment() -> Iterator[Broker]:
    """Use the brokers named by ``TIDEWATCH_TEST_KAFKA``."""
    brokers = os.environ.get("TIDEWATCH_TEST_KAFKA", "")
    if not brokers:
        raise Unavailable("TIDEWATCH_TEST_KAFKA is not set")
    yield Broker(brokers, f"the environment ({brokers})", KafkaSettings().session_timeout_s)


@contextmanager
def from_docker() -> Iterator[Broker]:
    """Start a container through testcontainers; its image must be here or pullable."""
    os.environ.setdefault(
        "TESTCONTAINERS_RYUK_DISABLED", "true"
    )  # one image less; the container is removed below
    from testcontainers.core.container import DockerContainer

    image = os.environ.get("TIDEWATCH_TEST_KAFKA_IMAGE", DEFAULT_IMAGE)
    fault = _docker_fault(image)
    if fault:
        raise Unavailable(f"Docker with image {image}: {fault.splitlines()[0][:200]}")
    port = free_port()
    container = DockerContainer(image).with_envs(**_container_environment(port))
    container.ports["9092/tcp"] = ("127.0.0.1", port)
    with container:
        _await_answer(port, container.get_wrapped_container())
        yield Broker(f"127.0.0.1:{port}", f"Docker ({image})")


@contextmanager
def from_embedded() -> Iterator[Broker]:
    """Start the embedded Kafka."""
    with ExitStack() as stack:
        try:
            kafka = stack.enter_context(embedded.EmbeddedKafka())
        except EmbeddedKafkaError as fault:
            raise Unavailable(f"embedded Kafka: {fault}") from None
        yield Broker(kafka.brokers, f"embedded Kafka {jars.VERSION}")


WAYS = {"env": from_environment, "docker": from_docker, "embedded": from_embedded}


def start(stack: ExitStack, choice: str) -> Broker:
    """Start the first broker that can be had; ``choice`` is one of ``WAYS`` or ``auto`` for all in order.

    Raises:
        Unavailable: none can be had; lists why.
    """
    if choice != "auto" and choice not in WAYS:
        raise Unavailable(f"TIDEWATCH_TEST_BROKER {choice!r}: want auto, {', '.join(WAYS)}")
    reasons = []
    for name in WAYS if choice == "auto" else (choice,):
        try:
            return stack.enter_context(WAYS[name]())
        except Unavailable as reason:
            reasons.append(str(reason))
    raise Unavailable("; ".join(reasons))


def _docker_fault(image: str) -> str:
    """Return why a container of ``image`` can't be had, or an empty text."""
    import docker
    import docker.errors

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # docker leaves its socket open where no engine answers
        reason = ""
        try:
            with closing(docker.from_env()) as client:
                _fetch(client, image)
        except (docker.errors.DockerException, OSError) as fault:
            reason = str(fault) or type(fault).__name__
        gc.collect()
        return reason


def _fetch(client: Any, image: str) -> None:
    import docker.errors

    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        client.images.pull(image)


def _container_environment(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }


def _await_answer(port: int, container: Any) -> None:
    deadline = time.monotonic() + CONTAINER_TIMEOUT_S
    while not embedded.answers(port):
        container.reload()
        if container.status != "running" or time.monotonic() > deadline:
            log = container.logs(tail=30).decode(errors="replace")
            raise Unavailable(
                f"Docker: the broker's container is {container.status} and does not answer; log:\n{log}"
            )
        time.sleep(0.2)
