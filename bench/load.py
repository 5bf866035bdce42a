"""Shell. ``python -m bench.load``: workload W written live at a steady rate, by a process of its own.

Arguments: brokers, topic of predictions, topic of outcomes, predictions a second, seconds, number of the first
prediction. Two lines of JSON: when it starts, all being made; and what was written, how late at the worst.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import numpy as np
from aiokafka import AIOKafkaProducer

from bench.cluster import BATCH_BYTES, PARTITIONS
from bench.workload import Mix, Record, draw, model_names, outcomes, predictions
from stream.wire import partition_for

TICK_S = 0.02
MAKING_S = 40e-6
"""A prediction and its outcome are made beforehand in less than this."""


class Tap:
    """One topic's records, let out when their time has come."""

    def __init__(self, topic: str, records: Iterator[Record]) -> None:
        self.topic = topic
        self._records = records
        self._next = next(records, None)

    def until(self, now_ms: int) -> Iterator[Record]:
        """Yield what arrives until ``now_ms``, epoch milliseconds."""
        while self._next is not None and self._next.arrived_ms <= now_ms:
            yield self._next
            self._next = next(self._records, None)

    @property
    def is_dry(self) -> bool:
        """Whether nothing is left."""
        return self._next is None


async def pour(
    brokers: str, taps: list[Tap], models: int, starts_at: float, ends_at: float
) -> dict[str, float]:
    """Write from all taps from ``starts_at`` on until they are dry or it is ``ends_at``, epoch seconds."""
    keys = model_names(models)
    homes = [partition_for(key.decode(), PARTITIONS) for key in keys]
    written, late_s = 0, 0.0
    async with AIOKafkaProducer(
        bootstrap_servers=brokers, acks=1, max_batch_size=BATCH_BYTES, max_request_size=4 << 20
    ) as producer:
        tick_at = max(time.time(), starts_at)
        await asyncio.sleep(tick_at - time.time())
        while (now := time.time()) < ends_at and not all(tap.is_dry for tap in taps):
            late_s = max(late_s, now - tick_at)
            for tap in taps:
                batches = [producer.create_batch() for _ in range(PARTITIONS)]
                for arrived_ms, model, value in tap.until(int(now * 1000)):
                    home = homes[model]
                    if batches[home].append(key=keys[model], value=value, timestamp=arrived_ms) is None:
                        await producer.send_batch(batches[home], tap.topic, partition=home)
                        batches[home] = producer.create_batch()
                        batches[home].append(key=keys[model], value=value, timestamp=arrived_ms)
                    written += 1
                for home, batch in enumerate(batches):
                    if batch.record_count():
                        await producer.send_batch(batch, tap.topic, partition=home)
            tick_at = max(tick_at + TICK_S, now)
            await asyncio.sleep(max(0.0, tick_at - time.time()))
    return {"records": written, "late_s": round(late_s, 3)}


def main() -> None:
    """Write the load, then say how it went."""
    brokers, said, happened, rate, seconds, first = sys.argv[1:]
    count = int(float(rate) * float(seconds))
    mix, start = Mix(rate=float(rate), median_delay_s=2.0), time.time() + 2.0 + count * MAKING_S
    columns = draw(np.random.default_rng(6), mix, count, int(first), start)
    ends_at = start + float(seconds)
    taps = [
        Tap(said, iter([*predictions(columns)])),
        Tap(happened, iter([*outcomes(columns, ends_at)])),
    ]
    sys.stdout.write(json.dumps({"start_at": start, "is_late": time.time() > start}) + "\n")
    sys.stdout.flush()
    sys.stdout.write(json.dumps(asyncio.run(pour(brokers, taps, mix.models, start, ends_at))) + "\n")


if __name__ == "__main__":
    main()
