"""Shell. One partition in memory: its fold, its checkpoint, and where its inputs go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.engine.backlog import Backlog, Reach
from stream.engine.batch import PART
from stream.engine.cadence import Cadence
from stream.engine.checkpoint import Checkpoint
from stream.engine.custody import Custody
from stream.engine.losses import Losses
from stream.engine.partition import Partition, Record
from stream.engine.reading import reader
from stream.engine.slices import Slices

LOG = structlog.get_logger()


@dataclass(slots=True)
class Held:
    """What a keeper has of a partition; ``offsets`` are the next ones by input topic.

    ``backlog`` is what is to be folded before it has caught up; ``None``: it has, or its end is not known yet.
    """

    fold: Partition
    checkpoint: Checkpoint
    offsets: dict[str, int] = field(default_factory=dict)
    changed: bool = False
    urgent: bool = False
    cadence: Cadence = field(default_factory=Cadence)
    losses: Losses = field(default_factory=Losses)
    backlog: Backlog | None = None
    doubted_at: float | None = None
    """Since when the end of its inputs is to be asked for anew, monotonic seconds."""
    goes: int = 0
    """How often its fold was applied something, or went on with what follows from it."""

    def apply(self, topic: str, records: Sequence[Record]) -> bool:
        """Fold records, or none to go on with what follows from them; return whether a checkpoint is urgent."""
        is_urgent = self.fold.apply(records)
        if records:
            self.offsets[topic] = self.losses.behind(topic, records[-1].offset + 1)
        self.changed = True
        self.goes += 1
        self.cadence.folded(len(records) or PART, self.fold.waiting_bytes)
        return is_urgent or bool(self.losses.passed)

    def waiting(self, number: int, end: Callable[[TopicPartition], int | None]) -> Mapping[str, int]:
        """Return how many records of each input wait; ``end``: below which offset records are.

        Before the first fetch has told that, and Kafka may let it wait, it is what there was at the takeover.
        """
        known = {topic: 0 if self.backlog is None else self.backlog.end(topic) for topic in self.offsets}
        return {
            topic: max(0, max(end(TopicPartition(topic, number)) or 0, known[topic]) - offset)
            for topic, offset in self.offsets.items()
        }

    async def settle(self) -> None:
        """Tell the fold that what it froze is durable, and do the work that this makes."""
        slices = Slices()
        for _ in self.fold.committed():
            await slices.pause()

    def look_ahead(self, ends: Mapping[str, int], now: float) -> None:
        """Note where the inputs end by now; without a backlog it has caught up at once."""
        self.backlog, self.doubted_at = Backlog(ends, now), None
        self.catch_up({}, now)

    def catch_up(self, reaches: Mapping[str, Reach], now: float) -> None:
        """Tell the fold, once, when the backlog is folded; ``reaches`` by topic, ``now`` monotonic seconds."""
        if self.backlog is None:
            return
        for topic, reach in reaches.items():
            self.backlog.fetched(topic, reach, now)
        if self.backlog.is_folded(self.offsets):
            self.backlog = None
            self.fold.caught_up()


async def look_ahead(consumer: AIOKafkaConsumer, inputs: Sequence[str], helds: Mapping[int, Held]) -> None:
    """Note where the inputs of these partitions end by now."""
    tps = _places(inputs, helds)
    ends = _by_number(await consumer.end_offsets(tps) if tps else {})
    for number, held in helds.items():
        held.look_ahead(ends[number], time.monotonic())


async def look_again(custody: Custody, helds: Mapping[int, Held]) -> None:
    """Note where the inputs of those in doubt end by now; what fails is tried again with the next call."""
    doubted = {
        number: (held, held.doubted_at) for number, held in helds.items() if held.doubted_at is not None
    }
    for number, ends in _by_number(await ends_of(custody, _places(custody.inputs, doubted))).items():
        held, since = doubted[number]
        if held.doubted_at == since:  # neither given back nor in doubt again meanwhile
            held.look_ahead(ends, time.monotonic())


async def ends_of(custody: Custody, tps: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
    """Return where these end for readers of what was committed; empty, and told, when Kafka does not say."""
    if not tps:
        return {}
    try:
        async with reader(custody.options) as consumer:
            ends: Mapping[TopicPartition, int] = await consumer.end_offsets(list(tps))
    except KafkaError as fault:
        numbers = sorted({tp.partition for tp in tps})
        LOG.warning(
            "ends not known", partitions=numbers, fault=repr(fault), meaning="they are asked for again"
        )
        return {}
    return ends


def _places(inputs: Sequence[str], numbers: Iterable[int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in numbers for topic in inputs]


def _by_number(ends: Mapping[TopicPartition, int]) -> Mapping[int, Mapping[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for tp, end in ends.items():
        found.setdefault(tp.partition, {})[tp.topic] = end
    return found
