"""Shell. What Kafka deleted of a partition's inputs before it was folded: told at once, counted when durable.

A process that ends before a checkpoint goes on behind the gap leaves the count to the one that takes over.
"""

from __future__ import annotations

from typing import Any

import structlog

LOG = structlog.get_logger()


class Losses:
    """Of one partition; ``passed`` are the lost offsets by topic that the next checkpoint goes on behind."""

    __slots__ = ("_gaps", "passed")

    def __init__(self) -> None:
        self._gaps: dict[tuple[str, int], tuple[int, int]] = {}
        self.passed: dict[str, int] = {}

    def gap(self, tp: Any, end: int, first: int) -> None:
        """Learn that of an input nothing is left between ``end``, where the fold will stand, and ``first``."""
        if first > end:
            self._gaps[tp.topic, end] = (tp.partition, first)

    def behind(self, topic: str, offset: int) -> int:
        """Return the offset to go on from when all below ``offset`` is folded; a gap there is told and passed."""
        gap = self._gaps.pop((topic, offset), None)
        if gap is None:
            return offset
        partition, first = gap
        self.passed[topic] = self.passed.get(topic, 0) + first - offset
        LOG.error(
            "records lost",
            topic=topic,
            partition=partition,
            records=first - offset,
            meaning="Kafka deleted them before they were folded; no figure has them",
            mend="unless somebody gave them up: a retention.ms (and retention.bytes) of the topic above the"
            " longest time that its records wait",
        )
        return first
