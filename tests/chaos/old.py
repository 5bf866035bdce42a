"""Checkpoints of older releases, kept as files: a worker of this release must go on from each exactly.

``python -m tests.chaos.old NAME`` writes the present release's checkpoint and its input as ``old/NAME.json.gz``;
do so before a change of schema. The input is tidy and in one partition, so it is sent again offset for offset.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka import Producer

from tests.chaos import load, oracle, service
from tests.chaos.fleet import Fleet
from tests.chaos.load import Sent, Shape
from tests.chaos.nodes import Cluster
from tests.chaos.producer import Sender
from tests.chaos.service import MARKER
from tests.chaos.topiclog import INPUTS, TopicLog

FOLDER = Path(__file__).parent / "old"
PREFIX = "chaos-old."
SEED = 1
BASE_AT = 1_750_000_000.0
BEFORE = 0.35
"""The share of the input that the old release had folded."""
SHAPE = Shape(
    events=1_600,
    days=1,
    partitions=1,
    healthy=2,
    degraded=1,
    legacy=0,
    duplicated=0.0,
    corrected=0.0,
    late=0.0,
    missing=0.0,
    orphaned=0.0,
    tardy=0.0,
    poison=0.0,
    is_rich=False,
)


def files() -> list[Path]:
    """Return the kept checkpoints."""
    return sorted(FOLDER.glob("*.json.gz"))


def capture(name: str) -> None:
    """Write the present release's checkpoint of the first part of an input, and the input."""
    records = load.build(SEED, SHAPE, BASE_AT)
    cut = int(len(records) * BEFORE)
    with Cluster() as cluster:
        state = _fold(cluster, records[:cut])
    kept = {
        "first": [_row(record) for record in records[:cut]],
        "rest": [_row(record) for record in records[cut:]],
        "checkpoint": [[_text(key), _text(value)] for key, value in sorted(state.items())],
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(kept).encode(), mtime=0))


def faults_of(kept: Path) -> list[str]:
    """Return what differs from the oracle when this release goes on from the kept checkpoint.

    Each has a Kafka of its own, for a checkpoint names the topics whose offsets it holds.
    """
    content = json.loads(gzip.decompress(kept.read_bytes()))
    first, rest = ([_sent(*row) for row in content[part]] for part in ("first", "rest"))
    with Cluster() as cluster:
        return _gone_on(cluster, content["checkpoint"], first, rest)


def _gone_on(
    cluster: Cluster, checkpoint: list[tuple[str, str]], first: list[Sent], rest: list[Sent]
) -> list[str]:
    service.create_topics(_variables(cluster))
    _send(cluster, first)
    producer = Producer({"bootstrap.servers": cluster.brokers, "message.max.bytes": 8 << 20})
    for name, text in checkpoint:
        key, value = base64.b64decode(name), base64.b64decode(text)
        producer.produce(
            service.topic(PREFIX, "checkpoints"), _moved(value) if key == MARKER else value, key, 0
        )
    producer.flush()
    _fold(cluster, rest, len(first))
    lines = [[one.value for one in first + rest if one.topic == word] for word in ("predictions", "outcomes")]
    wanted = oracle.expected(*lines, load.HORIZON_S)
    return service.differences(service.figures(_variables(cluster)), wanted)


def _moved(marker: bytes) -> bytes:
    """Return the marker without the ids of the topics: here these are others of the same names."""
    return json.dumps({name: one for name, one in json.loads(marker).items() if name != "ids"}).encode()


def _row(record: Sent) -> tuple[str, str, int]:
    return record.topic, record.value.decode(), record.timestamp_ms


def _sent(topic: str, value: str, timestamp_ms: int) -> Sent:
    key = json.loads(value)["model"].encode()
    return Sent(0.0, topic, 0, key, value.encode(), timestamp_ms, "", "event", 0)


def _variables(cluster: Cluster) -> dict[str, str]:
    kept_for_ever = {"TIDEWATCH_TOPICS_RETENTION_S": str(20 * 365 * 86_400)}
    long_ago = {"past_tolerance_s": 20 * 365 * 86_400.0}
    return service.environment(cluster.brokers, PREFIX, 1, **long_ago) | kept_for_ever


def _send(cluster: Cluster, records: list[Sent]) -> None:
    one_day = [record._replace(day=0) for record in records]
    sender = Sender(cluster.brokers, PREFIX, one_day, 5_000)
    sender.run()
    if sender.faults:
        raise RuntimeError("; ".join(sender.faults))


def _fold(cluster: Cluster, records: list[Sent], before: int = 0) -> dict[bytes, bytes]:
    """Send the records, let one worker fold them, and return the newest checkpoint records by key.

    So many records are in the inputs ``before``.
    """
    variables = _variables(cluster)
    service.create_topics(variables)
    _send(cluster, records)
    newest: dict[bytes, bytes] = {}
    with tempfile.TemporaryDirectory() as folder, TopicLog(cluster.brokers, PREFIX, 1) as log:
        fleet = Fleet(variables, Path(folder))
        try:
            fleet.resize(1)
            _await(fleet, log, before + len(records))
        finally:
            fleet.end()
        newest.update((one.key or b"", one.value or b"") for one in log.records["checkpoints"])
    return newest


def _await(fleet: Fleet, log: TopicLog, sent: int) -> None:
    deadline = time.monotonic() + 60
    while sum(len(log.records[word]) for word in INPUTS) < sent or log.waiting():
        fleet.supervise()
        log.drain(0.5)
        if time.monotonic() > deadline:
            raise RuntimeError(f"not folded: {log.waiting()}; the worker says:\n{fleet.workers[0].tail()}")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


if __name__ == "__main__":
    capture(sys.argv[1])
