"""Shell. A Quix Streams application over both topics that only decodes JSON, by its own deserializer."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from quixstreams import Application

from bench.readers.meter import Meter, tell


def read(brokers: str, topics: Sequence[str], total: int) -> dict[str, float]:
    """Decode ``total`` records; return records, seconds and CPU seconds after the first tenth."""
    meter = Meter(total)
    app = Application(
        broker_address=brokers,
        consumer_group=f"quix-{uuid.uuid4().hex[:8]}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="ERROR",
    )
    for name in topics:
        app.dataframe(app.topic(name, value_deserializer="json")).update(lambda _: meter.take(1))
    app.run(count=total)
    return meter.figures()


if __name__ == "__main__":
    tell(read)
