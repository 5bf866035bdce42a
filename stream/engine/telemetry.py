"""Shell. Every Prometheus metric of the engine, the same on the worker and on the pager."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

STALLS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.02,
    0.03,
    0.04,
    0.05,
    0.06,
    0.08,
    0.1,
    0.15,
    0.2,
    0.3,
    0.5,
    1,
    2.5,
    10,
)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class EngineTelemetry:
    """The engine's metrics, registered in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.checkpoint_seconds = Histogram(
            "tidewatch_checkpoint_duration_seconds",
            "Time to write one partition's checkpoint.",
            buckets=SECONDS,
            registry=registry,
        )
        self.checkpoint_bytes = Counter(
            "tidewatch_checkpoint_bytes", "State bytes written to checkpoints.", registry=registry
        )
        self.checkpoint_at = Gauge(
            "tidewatch_checkpoint_timestamp_seconds",
            "When the partition's last checkpoint was acknowledged.",
            ["partition"],
            registry=registry,
        )
        self.restore_seconds = Gauge(
            "tidewatch_restore_duration_seconds",
            "Time of the partition's last restore.",
            ["partition"],
            registry=registry,
        )
        self.lag = Gauge(
            "tidewatch_consumer_lag_records",
            "Records in Kafka that were not folded yet.",
            ["topic", "partition"],
            registry=registry,
        )
        self.loop_stall = Histogram(
            "tidewatch_loop_stall_seconds",
            "How late a sleeper of 10 ms on the event loop woke up.",
            buckets=STALLS,
            registry=registry,
        )
        self.partitions = Gauge(
            "tidewatch_partitions_assigned", "Input partitions that this process owns.", registry=registry
        )

    def checkpointed(self, number: int, took_s: float, size: int) -> None:
        """Note that a partition's checkpoint was acknowledged."""
        self.checkpoint_seconds.observe(took_s)
        self.checkpoint_bytes.inc(size)
        self.checkpoint_at.labels(number).set(time.time())

    def forget(self) -> None:
        """Drop what was said of single partitions: they may belong to another process now."""
        for gauge in (self.checkpoint_at, self.restore_seconds, self.lag):
            gauge.clear()
        self.partitions.set(0)
