"""Shell. Every Prometheus metric of the engine, the same on the worker and on the pager."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
        self.partitions = Gauge(
            "tidewatch_partitions_assigned", "Input partitions that this process owns.", registry=registry
        )

    def forget(self) -> None:
        """Drop what was said of single partitions: they may belong to another process now."""
        for gauge in (self.checkpoint_at, self.restore_seconds, self.lag):
            gauge.clear()
        self.partitions.set(0)
