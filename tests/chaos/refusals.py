"""What a worker must refuse by name instead of going on: each returns what was wrong, empty when all is well."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from confluent_kafka import Producer

from stream.settings import WorkerSettings
from tests.chaos import service
from tests.chaos.load import HORIZON_S
from tests.chaos.nodes import Cluster


def short_retention(cluster: Cluster) -> list[str]:
    """Inputs kept shorter than a lost disk needs: the start-up error says what to set."""
    prefix = _prefix()
    made = service.environment(cluster.brokers, prefix, 1, label_horizon_s=10, future_tolerance_s=0)
    service.create_topics(made | {"TIDEWATCH_TOPICS_RETENTION_S": "60"})
    needed = f"retention.ms={round((4 * HORIZON_S + WorkerSettings().future_tolerance_s) * 1000)}"
    return _refusal(
        service.environment(cluster.brokers, prefix, 1), service.topic(prefix, "predictions"), needed
    )


def unknown_marker(cluster: Cluster) -> list[str]:
    """A marker of a schema that no release wrote."""
    return _with_record(cluster, service.MARKER, b'{"schema":987,"offsets":{}}')


def unknown_state(cluster: Cluster) -> list[str]:
    """A model's state of a schema that no release wrote."""
    return _with_record(cluster, b"some-model", b"987\nwhatever it is")


REFUSALS: dict[str, Callable[[Cluster], list[str]]] = {
    "too short retention": short_retention,
    "unknown schema of a marker": unknown_marker,
    "unknown schema of a model": unknown_state,
}


def _prefix() -> str:
    return f"chaos-{uuid4().hex[:8]}."


def _with_record(cluster: Cluster, key: bytes, value: bytes) -> list[str]:
    prefix = _prefix()
    variables = service.environment(cluster.brokers, prefix, 1)
    service.create_topics(variables)
    producer = Producer({"bootstrap.servers": cluster.brokers})
    producer.produce(service.topic(prefix, "checkpoints"), value, key, 0)
    producer.flush()
    return _refusal(variables, "schema", "987")


def _refusal(variables: dict[str, str], *words: str) -> list[str]:
    """Start a worker; it must end by itself with a code other than 0 and say all the words on one line or two."""
    code, said = service.ended_worker(variables, 60.0)
    if code is None:
        return [f"went on for 60 s: want an end and a word of {words}; it said: {said[-500:]}"]
    wrong = [] if code else ["ended with 0: want another code"]
    return wrong + [f"did not say {word!r}; it said: {said[-500:]}" for word in words if word not in said]
