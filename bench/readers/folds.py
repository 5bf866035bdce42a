"""Shell. Builds the worker's real folds in this process, feeds them, and weighs them.

No Kafka: the factory is the one that ``tidewatch worker`` gives to its engine.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from bench.weight import by_attribute, by_file
from bench.worker import resident_bytes
from bench.workload import Mix, Record, draw, model_names, outcomes, predictions
from stream.app import build
from stream.engine import app as engine
from stream.engine.partition import PartitionFactory
from stream.settings import Settings, load
from stream.wire import partition_for

CHUNK = 1_000
BATCH = 1_000
FLUSH_EVERY, FLUSH_TRACED = 50, 5
"""Batches between two checkpoints: what the join holds until one is much beside the few series that are traced."""
HORIZON_S = 20.0
"""So short that the join holds nearly nothing: its memory is another figure (``pending_rss_bytes``)."""
MIX = {"rate": 20.0, "median_delay_s": 2.0, "delay_sigma": 0.5, "fixed_slices": True}


class Arrived(NamedTuple):
    """A record as aiokafka would hand it over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Feed:
    """All partitions' folds, fed in batches of one topic as the worker's agent does."""

    def __init__(self, models: int, flush_every: int) -> None:
        settings = load()
        self.app, factory = worker_folds(settings)  # the application owns the folder of the join's disk store
        self.topics = settings.topics
        self.folds = [factory(number, lambda: None) for number in range(settings.topics.partitions)]
        self.keys = model_names(models)
        self.homes = [partition_for(key.decode(), len(self.folds)) for key in self.keys]
        self.offset = 0
        self.batches = 0
        self.flush_every = flush_every

    def take(self, topic: str, records: Iterator[Record]) -> int:
        """Fold the records; return how many."""
        waiting: dict[int, list[Arrived]] = defaultdict(list)
        before = self.offset
        for arrived_ms, model, value in records:
            home = self.homes[model]
            self.offset += 1
            waiting[home].append(Arrived(topic, home, self.offset, arrived_ms, self.keys[model], value))
            if len(waiting[home]) == BATCH:
                self._apply(home, waiting.pop(home))
        for home, batch in waiting.items():
            self._apply(home, batch)
        return self.offset - before

    def _apply(self, home: int, batch: list[Arrived]) -> None:
        self.folds[home].apply(batch)
        self.batches += 1
        if self.batches % self.flush_every == 0:
            self.flush()

    def flush(self) -> None:
        """Take the checkpoint of every fold, and throw it away."""
        for fold in self.folds:
            for _ in fold.freeze({}).state:
                pass  # a checkpoint sends it
            for _ in fold.committed():
                pass


def worker_folds(settings: Settings) -> tuple[engine.EngineApp, PartitionFactory]:
    """Return the application, not started, and the factory of folds that it gives to its engine."""
    plans: list[engine.Plan] = []

    def catch(plan: engine.Plan) -> engine.EngineApp:
        plans.append(plan)
        return original(plan)

    original, engine.build = engine.build, catch
    try:
        app = build(settings)
    finally:
        engine.build = original
    return app, plans[0].factory


def fill(feed: Feed, models: int, count: int) -> int:
    """Fold ``count`` predictions and their outcomes; return how many outcomes."""
    rng, mix, known = np.random.default_rng(4), Mix(models=models, **MIX), 0  # type: ignore[arg-type]
    start_at = 1_700_000_000.0
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        columns = draw(rng, mix, size, first, start_at)
        start_at += size / mix.rate
        feed.take(feed.topics.predictions, predictions(columns))
        known += feed.take(feed.topics.outcomes, outcomes(columns, float("inf")))
    feed.flush()
    return known


def main() -> None:
    """Run: MODELS OUTCOMES_PER_SERIES, and ``trace`` for the breakdown (slower, and it weighs itself)."""
    models, each, *rest = sys.argv[1:]
    os.environ["TIDEWATCH_WORKER_LABEL_HORIZON_S"] = str(HORIZON_S)
    feed = Feed(int(models), FLUSH_TRACED if rest else FLUSH_EVERY)
    list(predictions(draw(np.random.default_rng(1), Mix(models=int(models)), CHUNK, 0, 0.0)))
    gc.collect()
    before = resident_bytes(os.getpid())
    if rest:
        tracemalloc.start()
    known = fill(feed, int(models), int(models) * 2 * int(each))
    gc.collect()
    series = int(models) * 8
    found: dict[str, Any] = {
        "bytes": resident_bytes(os.getpid()) - before,
        "series": series,
        "outcomes_per_series": known / (int(models) * 2),
    }
    if rest:
        found["traced"] = tracemalloc.get_traced_memory()[0]
        found["files"] = by_file(tracemalloc.take_snapshot(), series)
        tracemalloc.stop()
        found["attributes"] = by_attribute(feed.folds, series)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
