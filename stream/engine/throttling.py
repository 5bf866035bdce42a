"""Shell. How long Kafka makes this process wait for a quota: it says so with each answer, and keeps to it itself.

aiokafka passes over what brokers say of that. The next answer on the same connection comes so much later, mostly
without records: nothing fails, and nothing comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiokafka.client import AIOKafkaClient

LOG = structlog.get_logger()
QUOTAS: Mapping[str, str] = {
    "fetch": "consumer_byte_rate",
    "produce": "producer_byte_rate",
    "other": "request_percentage",
}
"""By the kind of request, the quota that it is likely to be of; each may be of the last."""
_KINDS: Mapping[int, str] = {0: "produce", 1: "fetch"}
SAID_AFTER_S = 10.0
"""What a quota makes wait for less is usual on a shared cluster."""
OVER_AFTER_S = 60.0


class Throttling:
    """Of all clients of a process; ``count`` is told the kind of request and its seconds, in any thread."""

    def __init__(self, count: Callable[[str, float], None] = lambda kind, seconds: None) -> None:
        self._count = count
        self._until = dict.fromkeys(QUOTAS, 0.0)
        """Of every kind from the start: another thread adds none while this one looks."""
        self._since: float | None = None
        self._newest = 0.0
        self._is_said = False

    def watch(self, client: AIOKafkaClient) -> None:
        """Hear what brokers answer to this client."""
        send = client.send

        async def heard(node_id: int, request: Any, **how: Any) -> Any:
            answer = await send(node_id, request, **how)
            self.told(request.API_KEY, getattr(answer, "throttle_time_ms", 0) / 1000, time.monotonic())
            return answer

        client.send = heard

    def told(self, api_key: int, seconds: float, now: float) -> None:
        """Learn that the next such request waits so long; ``now`` is in seconds, monotonic."""
        if seconds > 0:
            kind = _KINDS.get(api_key, "other")
            self._until[kind] = max(self._until[kind], now + seconds)
            self._count(kind, seconds)

    def waits(self, now: float) -> list[str]:
        """Return which kinds of requests wait for a quota."""
        return sorted(kind for kind, until in self._until.items() if now < until)

    def keeps(self, now: float) -> bool:
        """Return whether records can't be read or written for now; that others ask, also a stuck process does."""
        return bool({"fetch", "produce"}.intersection(self.waits(now)))

    def look(self, now: float) -> None:
        """Say it once when requests wait for a quota again and again, and when they do no more."""
        kinds = self.waits(now)
        if kinds:
            self._since, self._newest = self._since or now, now
            if not self._is_said and now - self._since >= SAID_AFTER_S:
                self._is_said = True
                _tell(kinds)
        elif self._since is not None and now - self._newest > OVER_AFTER_S:
            if self._is_said:
                LOG.info("not throttled any more")
            self._since, self._is_said = None, False


def _tell(kinds: list[str]) -> None:
    LOG.warning(
        "throttled",
        requests=kinds,
        quotas=[QUOTAS[kind] for kind in kinds],
        meaning="Kafka makes this process wait for a quota of its user or client id; pages come late",
        mend="raise the quota (kafka-configs.sh, --entity-type users or clients); a restart does not help:"
        " see docs/operations.md",
    )
