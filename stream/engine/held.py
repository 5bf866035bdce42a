"""Shell. One partition in memory: its fold, its checkpoint, and where its inputs go on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.engine.backlog import Backlog, Reach
from stream.engine.cadence import Cadence
from stream.engine.checkpoint import Checkpoint
from stream.engine.losses import Losses
from stream.engine.partition import Partition


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
    """Note where the inputs of these partitions end by now; one without a backlog has caught up at once."""
    tps = [TopicPartition(topic, number) for number in helds for topic in inputs]
    ends = await consumer.end_offsets(tps) if tps else {}
    now = time.monotonic()
    for number, held in helds.items():
        held.backlog = Backlog({topic: ends[topic, number] for topic in inputs}, now)
        held.catch_up({}, now)
