"""Shell. Every Prometheus metric of the engine, the same on the worker and on the pager."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stream.engine.throttling import QUOTAS

STALLS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 10),
)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class EngineTelemetry:
    """The engine's metrics, registered in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._count_checkpoints()
        self._count_places()
        self.falls_behind = self._gauge(
            "falls_behind", "1 while records come in faster than they are folded, for a minute or more."
        )
        self.figures_made_at = self._gauge(
            "figures_made_timestamp_seconds",
            "When the making of the costly figures that are shown began; 0 while there are none.",
        )
        self.throttled = Counter(
            "tidewatch_throttled_seconds",
            "Seconds for which Kafka said that requests must wait for a quota, by kind of request.",
            ["request"],
            registry=registry,
        )
        self.clock_skew = self._gauge(
            "clock_skew_seconds",
            "How far this machine's clock is ahead of the Kafka broker's for certain; NaN where no broker says.",
        )
        self.kafka_answered_at = self._gauge(
            "kafka_answered_timestamp_seconds",
            "When Kafka last answered a fetch of any input; NaN while none has, or no answer is waited for.",
        )
        for kind in QUOTAS:
            self.throttled.labels(kind)
        self.loop_stall = self._histogram(
            "loop_stall_seconds", "How late a sleeper of 10 ms on the event loop woke up.", STALLS
        )

    def _count_checkpoints(self) -> None:
        self.checkpoint_seconds = self._histogram(
            "checkpoint_duration_seconds", "Time to write one partition's checkpoint.", SECONDS
        )
        self.checkpoint_bytes = Counter(
            "tidewatch_checkpoint_bytes", "State bytes written to checkpoints.", registry=self._registry
        )
        self.checkpoint_size = self._gauge(
            "checkpoint_last_bytes", "State bytes of the partition's last checkpoint.", "partition"
        )
        self.checkpoint_at = self._gauge(
            "checkpoint_timestamp_seconds",
            "When the partition's last checkpoint was acknowledged, or restored.",
            "partition",
        )

    def _count_places(self) -> None:
        self.lost = Counter(
            "tidewatch_records_lost",
            "Records that Kafka deleted before they were folded.",
            ["topic"],
            registry=self._registry,
        )
        self.restore_seconds = self._gauge(
            "restore_duration_seconds", "Time of the partition's last restore.", "partition"
        )
        self.lag = self._gauge(
            "consumer_lag_records", "Records in Kafka that were not folded yet.", "topic", "partition"
        )
        self.held_back = self._gauge(
            "input_held_back_seconds",
            "For how long a transaction that stays open has hidden what comes after it; 0: none does.",
            "topic",
            "partition",
        )
        self.partitions = self._gauge("partitions_assigned", "Input partitions that this process owns.")

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"tidewatch_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(f"tidewatch_{name}", text, buckets=buckets, registry=self._registry)

    def throttle(self, kind: str, seconds: float) -> None:
        """Count what a kind of request must wait."""
        self.throttled.labels(kind).inc(seconds)

    def checkpointed(self, took_s: float, size: int) -> None:
        """Count an acknowledged checkpoint."""
        self.checkpoint_seconds.observe(took_s)
        self.checkpoint_bytes.inc(size)

    def saved(self, number: int, size: int) -> None:
        """Note the newest checkpoint of a partition that is still this process's."""
        self.checkpoint_size.labels(number).set(size)
        self.checkpoint_at.labels(number).set(time.time())

    def passed_over(self, lost: Mapping[str, int]) -> None:
        """Count what was lost, by topic; 0 shows a topic of which nothing was."""
        for topic, records in lost.items():
            self.lost.labels(topic).inc(records)

    def restored(self, number: int, took_s: float) -> None:
        """Note that a partition was taken over: a crash would repeat what comes from now on."""
        self.restore_seconds.labels(number).set(took_s)
        self.checkpoint_at.labels(number).set(time.time())

    def held(self, held_s: Mapping[TopicPartition, float]) -> None:
        """Show for how long each input is held back, and of no other one."""
        self.held_back.clear()
        for tp, seconds in held_s.items():
            self.held_back.labels(tp.topic, tp.partition).set(seconds)

    def forget(self) -> None:
        """Drop what was said of single partitions: they may belong to another process now."""
        of_checkpoints = self.checkpoint_at, self.checkpoint_size, self.restore_seconds
        for gauge in (*of_checkpoints, self.lag, self.held_back):
            gauge.clear()
        self.partitions.set(0)
