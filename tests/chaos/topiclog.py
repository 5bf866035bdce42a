"""What is in Kafka: every committed record of a round's topics, and who wrote the checkpoints.

Read with librdkafka, not with the service's client, so that a fault of that one isn't shared.
"""

from __future__ import annotations

import json
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tests.chaos import service

INPUTS = ("predictions", "outcomes", "rollouts")
WORDS = (*INPUTS, "checkpoints", "findings", "dead-letters")
_BATCH = struct.Struct(">qiibIhiqqqhii")
_CONTROL, _TRANSACTIONAL = 0x20, 0x10


class Record(NamedTuple):
    """One committed record."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class TopicLog:
    """Follows a round's topics read-committed; ``drain`` reads on, the attributes hold what was read."""

    def __init__(self, brokers: str, prefix: str, partitions: int) -> None:
        self.records: dict[str, list[Record]] = {word: [] for word in WORDS}
        self.markers: dict[int, list[dict[str, int]]] = defaultdict(list)
        self._words = {service.topic(prefix, word): word for word in WORDS}
        self._newest: dict[tuple[str, int], int] = {}
        self._ends: set[tuple[str, int]] = set()
        counts = {name: 1 if word == "findings" else partitions for name, word in self._words.items()}
        self._places = [TopicPartition(name, at, 0) for name, count in counts.items() for at in range(count)]
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": f"{prefix}oracle",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "reconnect.backoff.max.ms": 1_000,
                "log_level": 0,
            }
        )
        self._consumer.assign(self._places)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def drain(self, for_s: float) -> None:
        """Read for at most this long, or until there is nothing new anywhere."""
        deadline = time.monotonic() + for_s
        while (left_s := deadline - time.monotonic()) > 0:
            for message in self._consumer.consume(2_000, min(0.1, left_s)):
                self._take(message)

    def _take(self, message) -> None:
        place = message.topic(), message.partition()
        if message.error() is not None:
            if message.error().code() == KafkaError._PARTITION_EOF:
                self._ends.add(place)
            elif not message.error().retriable() and message.error().fatal():
                raise KafkaException(message.error())
            return
        word = self._words[place[0]]
        self._newest[place] = message.offset()
        record = Record(message.partition(), message.offset(), message.key(), message.value())
        self.records[word].append(record)
        if word == "checkpoints" and record.key == service.MARKER:
            self.markers[record.partition].append(service.marker_offsets(record.value or b""))

    def name(self, word: str) -> str:
        """Return the full name of the topic."""
        return next(name for name, one in self._words.items() if one == word)

    def waiting(self) -> dict[str, int]:
        """Return how far each input is ahead of its partition's newest marker; empty when all is folded."""
        found = {}
        for (name, partition), newest in self._newest.items():
            if self._words[name] in INPUTS:
                marker = self.markers[partition][-1] if self.markers[partition] else {}
                if (behind := newest + 1 - marker.get(name, 0)) > 0:
                    found[f"{name}-{partition}"] = behind
        return found

    def backward_markers(self) -> int:
        """Return how many committed checkpoints include less than the one before them."""
        count = 0
        for markers in self.markers.values():
            for before, after in pairwise(markers):
                count += any(after.get(name, 0) < at for name, at in before.items())
        return count

    def findings(self) -> Counter[tuple[str, str]]:
        """Return how often each finding id came in each state."""
        return Counter((one["id"], one["state"]) for one in self._told("finding"))

    def rollouts(self) -> Counter[tuple[str, str, str]]:
        """Return how often each model, version and stage was passed on."""
        return Counter((one["model"], one["version"], one["stage"]) for one in self._told("rollout"))

    def _told(self, kind: str) -> list[dict[str, Any]]:
        found = [json.loads(record.value or b"{}") for record in self.records["findings"]]
        return [one for one in found if one["type"] == kind]


def returning_writers(data: Path, topic: str, partition: int) -> int:
    """Return how many committed transactions were written by a producer after another had taken over.

    A tenure is a run of committed transactions by one producer id and epoch. In order, tenures may follow each
    other but never come back: a commit by a writer that was superseded is a zombie's write that counts. Read
    from the broker's segment files, because no client shows producer ids.
    """
    past: set[tuple[int, int]] = set()
    current: tuple[int, int] | None = None
    returned = 0
    for writer in _committed_writers(data / f"{topic}-{partition}"):
        if writer != current:
            returned += writer in past
            if current is not None:
                past.add(current)
            current = writer
    return returned


def transactional(data: Path, topic: str, partition: int) -> set[int]:
    """Return the offsets that were written in transactions: by the service, the load's producer uses none."""
    return {
        offset
        for header, _, _ in _batches(data / f"{topic}-{partition}")
        if header[5] & _TRANSACTIONAL
        for offset in range(header[0], header[0] + header[6] + 1)
    }


def _committed_writers(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield producer id and epoch of each committed transaction, in log order."""
    for header, content, at in _batches(folder):
        if header[5] & _CONTROL and _is_commit(content, at):
            yield header[9], header[10]


def _batches(folder: Path) -> Iterator[tuple[tuple[int, ...], bytes, int]]:
    """Yield each batch's header, the segment it is in, and where its records begin."""
    for segment in sorted(folder.glob("*.log")):
        content, at = segment.read_bytes(), 0
        while at + _BATCH.size <= len(content):
            header = _BATCH.unpack_from(content, at)
            if header[1] <= 0:
                break
            yield header, content, at + _BATCH.size
            at += 12 + header[1]


def _is_commit(content: bytes, at: int) -> bool:
    """Whether a control batch's only record says commit: its key is version and type, two shorts."""
    # record: length varint, attributes byte, timestamp delta varint, offset delta varint, key length varint, key
    at = _skip(content, at) + 1
    for _ in range(3):
        at = _skip(content, at)
    return struct.unpack_from(">hh", content, at)[1] == 1


def _skip(content: bytes, at: int) -> int:
    while content[at] & 0x80:
        at += 1
    return at + 1
