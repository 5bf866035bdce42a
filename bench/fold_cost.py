"""Shell. What a record of workload W costs a fold, in microseconds of one process, and what a checkpoint writes.

    python -m bench.fold_cost [--models 200] [--records 800000] [--every 20000] [--known]

No Kafka: the worker's own folds, in memory of this process and with their join on disk, are fed in pieces of
500 records, and each has a checkpoint after ``--every`` records of its own; nan where there was none.
``--known``: all models have references, as in ``make bench``. A line for each fifth of W; the last line is
one JSON object, the mean of the last two fifths. ``garbage_us`` is the collector's part of the others.
Records are named tuples here, which the collector follows, those of a worker are not. Compare only runs of
the same minutes: others on the machine move these figures by half and more.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from math import nan
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench import reference
from bench.cluster import as_json
from bench.readers.folds import Arrived, worker_folds
from bench.workload import Mix, draw, model_names, outcomes, predictions
from stream.engine.partition import Partition
from stream.garbage import collect_seldom, out_of_sight
from stream.settings import load
from stream.wire import partition_for

PIECE = 500
PARTS = ("apply", "state", "committed", "garbage")
RANGES = 5


class Piece(NamedTuple):
    """Records of one topic and partition, as one turn of the worker folds them."""

    home: int
    records: list[Arrived]


def pieces(models: int, count: int, topics: tuple[str, str], partitions: int) -> Iterator[Piece]:
    """Yield W, both topics in step, in pieces."""
    mix = Mix(models=models)
    start_at = time.time() - count / 2 / mix.rate
    columns = draw(np.random.default_rng(4), mix, count // 2, 0, start_at)
    keys = model_names(models)
    homes = [partition_for(key.decode(), partitions) for key in keys]
    of_topics = [
        ((arrived, topic, model, value) for arrived, model, value in records)
        for topic, records in zip(
            topics, (predictions(columns), outcomes(columns, float("inf"))), strict=True
        )
    ]
    waiting: dict[tuple[str, int], list[Arrived]] = defaultdict(list)
    for offset, (arrived, topic, model, value) in enumerate(heapq.merge(*of_topics, key=lambda one: one[0])):
        home = homes[model]
        waiting[topic, home].append(Arrived(topic, home, offset, arrived, keys[model], value))
        if len(waiting[topic, home]) == PIECE:
            yield Piece(home, waiting.pop((topic, home)))
    for (_, home), records in waiting.items():
        yield Piece(home, records)


class Cost:
    """Seconds by part, and what checkpoints wrote, since the last ``take``."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(PARTS, 0.0)
        self.records = self.states = self.bytes = 0
        self._garbage_at = 0.0
        self._is_ours = False
        gc.callbacks.append(self._collecting)

    def _collecting(self, phase: str, _: object) -> None:
        if phase == "start":
            self._garbage_at = time.perf_counter()
        elif self._is_ours:
            self.spent["garbage"] += time.perf_counter() - self._garbage_at

    def apply(self, fold: Partition, records: list[Arrived]) -> None:
        """Fold a piece."""
        self._is_ours, began = True, time.perf_counter()
        with out_of_sight():
            fold.apply(records)
        self.spent["apply"] += time.perf_counter() - began
        self._is_ours = False
        self.records += len(records)

    def checkpoint(self, fold: Partition) -> None:
        """Have a checkpoint made, and throw it away."""
        self._is_ours, began = True, time.perf_counter()
        for _, value in fold.freeze({}).state:
            self.states += 1
            self.bytes += len(value or b"")
        stored = time.perf_counter()
        for _ in fold.committed():
            pass
        self.spent["state"] += stored - began
        self.spent["committed"] += time.perf_counter() - stored
        self._is_ours = False

    def take(self) -> dict[str, float]:
        """Return microseconds a record by part, and states and their bytes a record; begin anew."""
        records = max(self.records, 1)
        found = {f"{part}_us": 1e6 * spent / records for part, spent in self.spent.items()}
        if not self.states:
            found |= {"state_us": nan, "committed_us": nan}
        found["all_us"] = sum(found[f"{part}_us"] for part in ("apply", "state", "committed"))
        found |= {"states": self.states / records, "state_bytes": self.bytes / records}
        self.spent = dict.fromkeys(PARTS, 0.0)
        self.records = self.states = self.bytes = 0
        return found


def main() -> None:
    """Print the cost of each fifth of W, and of the last two fifths."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--records", type=int, default=800_000)
    parser.add_argument("--every", type=int, default=20_000)
    parser.add_argument("--known", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidewatch-fold-") as folder:
        if options.known:
            path = reference.write(Path(folder, "references.json"), options.models)
            os.environ["TIDEWATCH_MONITOR_REFERENCE"] = str(path)
        measure(options.models, options.records, options.every)


def measure(models: int, count: int, every: int) -> None:
    """Fold W and print."""
    settings = load()
    _app, factory = worker_folds(settings)  # the application owns the folder of the join's disk store
    topics = settings.topics
    folds = [factory(number, lambda: None) for number in range(topics.partitions)]
    cost, unwritten, folded = Cost(), [0] * len(folds), 0
    ranges: list[dict[str, float]] = []
    collect_seldom()
    for home, records in pieces(models, count, (topics.predictions, topics.outcomes), len(folds)):
        cost.apply(folds[home], records)
        unwritten[home] += len(records)
        folded += len(records)
        if unwritten[home] >= every:
            cost.checkpoint(folds[home])
            unwritten[home] = 0
        if folded >= (len(ranges) + 1) * count // RANGES and len(ranges) < RANGES - 1:
            ranges.append(cost.take())
            sys.stdout.write(f"{folded:>9,} records: {_told(ranges[-1])}\n")
            sys.stdout.flush()
    ranges.append(cost.take())
    late = ranges[-2:]
    found = {name: sum(one[name] for one in late) / len(late) for name in late[0]}
    sys.stdout.write(as_json(found) + "\n")


def _told(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in found.items())


if __name__ == "__main__":
    main()
