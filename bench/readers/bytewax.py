"""Shell. A Bytewax dataflow over both topics that only decodes JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bytewax import operators
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from bench.readers.meter import Meter, tell

BATCH = 5_000


class Counted(StatelessSinkPartition, DynamicSink):  # type: ignore[misc]
    """A sink, and its only partition, that counts."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Counted:
        """Return itself: there is one worker."""
        return self

    def write_batch(self, items: list[Any]) -> None:
        """Count the records of one batch."""
        self.meter.take(len(items))


def read(brokers: str, topics: Sequence[str], total: int) -> dict[str, float]:
    """Decode ``total`` records; return records, seconds and CPU seconds after the first tenth."""
    meter, flow = Meter(total), Dataflow("decode")
    source = KafkaSource([brokers], [*topics], tail=False, batch_size=BATCH)
    decoded = operators.map("json", operators.input("kafka", flow, source), lambda one: json.loads(one.value))
    operators.output("count", decoded, Counted(meter))
    cli_main(flow)
    return meter.figures()


if __name__ == "__main__":
    tell(read)
