"""Shell. What a keeper of folds needs to know."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer

from stream.engine.checkpoint import Checkpoint
from stream.engine.lookup import make_patient
from stream.engine.partition import PartitionFactory
from stream.engine.probe import Probe
from stream.engine.reading import COMMITTED, reader
from stream.engine.skew import Skew
from stream.engine.throttling import Throttling


@dataclass(frozen=True, kw_only=True)
class Custody:
    """``inputs`` have the same partition count as ``checkpoints``; folds write to ``outputs``."""

    options: Mapping[str, Any]
    group: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    checkpoints: str
    factory: PartitionFactory
    interval_s: float
    probe: Probe
    throttling: Throttling = field(default_factory=Throttling)
    skew: Skew = field(default_factory=Skew)

    def checkpoint(self, number: int) -> Checkpoint:
        """Return what writes and restores this partition."""
        made = Checkpoint(self.options, self.group, self.checkpoints, number, self.probe, self.skew)
        self.throttling.watch(made.client)
        make_patient(made.client)
        return made

    @asynccontextmanager
    async def reader(self, isolation_level: str = COMMITTED) -> AsyncIterator[AIOKafkaConsumer]:
        """Open a consumer without a group, as ``reading.reader`` does."""
        async with reader(self.options, isolation_level) as consumer:
            self.throttling.watch(consumer._client)
            yield consumer
