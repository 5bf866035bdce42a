"""Core. What a fetch brings of one partition, and the pieces in which it is folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stream.engine.partition import Record

PART = 500
"""Records that are folded at one go: some 10 ms, between which the event loop has its turn."""


class Batch(NamedTuple):
    """Records of one partition of one topic; ``epoch`` is that of the assignment they were fetched for."""

    records: Sequence[Record]
    epoch: int

    def parts(self) -> Iterator[Batch]:
        """Yield the records in order, in batches of ``PART`` at most."""
        for first in range(0, len(self.records), PART):
            yield Batch(self.records[first : first + PART], self.epoch)
