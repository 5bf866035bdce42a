"""Sends a run's records in order and at a rate, through broker restarts, and rests at each night."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from confluent_kafka import Producer

from tests.chaos import service
from tests.chaos.load import Sent


class Sender(threading.Thread):
    """The product services. Idempotent, so that what it sent is in the log once, in its order."""

    def __init__(self, brokers: str, prefix: str, records: Sequence[Sent], per_s: float) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self.faults: list[str] = []
        self.resting = threading.Event()
        self._morning = threading.Event()
        self._stopped = False
        self._records = records
        self._prefix = prefix
        self._per_s = per_s
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "enable.idempotence": True,
                "message.timeout.ms": 180_000,
                "linger.ms": 5,
                "reconnect.backoff.max.ms": 1_000,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )

    @property
    def progress(self) -> float:
        """The share of the records that was sent."""
        return self.sent / len(self._records)

    def wake(self) -> None:
        """Let the next day begin."""
        self.resting.clear()
        self._morning.set()

    def stop(self) -> None:
        """Give up."""
        self._stopped = True
        self._morning.set()

    def run(self) -> None:
        """Send everything."""
        try:
            self._send_all()
        except Exception as fault:  # told by the main thread
            self.faults.append(repr(fault))

    def _send_all(self) -> None:
        began, counted, day = time.monotonic(), 0, 0
        burst = max(1, min(50, int(self._per_s / 20)))
        for record in self._records:
            if record.day != day:
                self._rest()
                day, began, counted = record.day, time.monotonic(), 0
            if self._stopped:
                return
            self._send(record)
            counted += 1
            if counted % burst == 0:
                self._producer.poll(0)
                time.sleep(max(0.0, began + counted / self._per_s - time.monotonic()))
        self._flush()

    def _rest(self) -> None:
        self._flush()
        self._morning.clear()
        self.resting.set()
        self._morning.wait()

    def _flush(self) -> None:
        if self._producer.flush(200):
            self.faults.append("the producer could not deliver everything")

    def _send(self, record: Sent) -> None:
        headers = [("ce_id", b"1"), ("ce_source", record.source.encode())] if record.source else []
        self._producer.produce(
            service.topic(self._prefix, record.topic),
            record.value,
            key=record.key,
            partition=record.partition,
            on_delivery=self._delivered,
            timestamp=record.timestamp_ms,
            headers=headers,
        )
        self.sent += 1

    def _delivered(self, fault, _message) -> None:
        if fault is not None:
            self.faults.append(str(fault))
