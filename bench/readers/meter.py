"""Shell. How fast records are read, once the first tenth of them is through."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence

WARM = 0.1


class Meter:
    """Counts records up to ``total``; its time begins after the first tenth."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._began = 0
        self._began_at = self._cpu = 0.0

    def take(self, records: int) -> None:
        """Count so many more records."""
        self.done += records
        if not self._began and self.done >= self.total * WARM:
            self._began, self._began_at, self._cpu = self.done, time.monotonic(), time.process_time()

    def figures(self) -> dict[str, float]:
        """Return records, seconds and CPU seconds of this process since the first tenth.

        Raises:
            RuntimeError: not all records were read, or all at one go.
        """
        if self.done < self.total:
            raise RuntimeError(f"{self.done:,} records were read: want {self.total:,}")
        if self.done == self._began:
            raise RuntimeError("all records were read at one go: want more --events")
        seconds, cpu_s = time.monotonic() - self._began_at, time.process_time() - self._cpu
        return {"records": self.done - self._began, "seconds": seconds, "cpu_s": cpu_s}


def tell(read: Callable[[str, Sequence[str], int], dict[str, float]]) -> None:
    """Run a reader with the words of its command line, BROKERS RECORDS TOPIC..., and print its figures."""
    brokers, total, *topics = sys.argv[1:]
    sys.stdout.write(json.dumps(read(brokers, topics, int(total))) + "\n")
