"""Shell. What the join costs, in microseconds of its thread per operation and bytes of resident memory.

    python bench/join_cost.py [--pending 10000000] [--partitions 8] [--folder /tmp/join_cost]

Hot: all in memory. Cold: ``--pending`` predictions wait on disk, then random ones of them get their outcomes,
new predictions come, and the oldest expire. Ids are random hex, 200 models, 2 versions, 3 slices. The last line
is one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from stream.events import Instant, Outcome, Prediction
from stream.join import Join
from stream.pending import MemoryStore, RocksStore, open_cache
from stream.settings import WorkerSettings

BATCH, CHECKPOINT = 1_000, 50_000
HORIZON_S = 1e6
COUNTRIES, TIERS, DEVICES = ("se", "de", "fr", "it"), ("free", "paid"), ("ios", "android", "web")
KEPT = WorkerSettings().memory_entries
Figures = dict[str, float]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "join_cost"))
    options = parser.parse_args()
    figures = hot(200_000)
    shutil.rmtree(options.folder, ignore_errors=True)
    figures |= Cold(options.pending, options.partitions, options.folder).figures()
    shutil.rmtree(options.folder)
    for name, value in figures.items():
        print(f"{name:34} {value:>18,.2f}")
    print(json.dumps(figures))


def hot(count: int) -> Figures:
    """All in memory, no checkpoint between prediction and outcome; the best of five."""
    rounds = [_hot(count // 5, range(start, start + count // 5)) for start in range(0, count, count // 5)]
    return {name: min(one[name] for one in rounds) for name in rounds[0]}


def _hot(count: int, numbers: range) -> Figures:
    join = Join(HORIZON_S, 10 * count, MemoryStore(), 10 * count)
    predictions = [a_prediction(number) for number in numbers]
    outcomes = [an_outcome(number) for number in numbers]
    gc.collect()
    gc.disable()
    figures = {
        "hot_prefetch_us": each(count, lambda: prefetch(join, predictions)),
        "hot_predict_us": each(count, lambda: folded(join, predictions)),
        "hot_expire_nothing_us": each(count, lambda: [[*join.expire()] for _ in range(count)]),
        "freeze_predictions_us": each(count, join.freeze),
        "hot_know_us": each(count, lambda: folded(join, outcomes)),
        "freeze_matched_us": each(count, join.freeze),
    }
    gc.enable()
    return figures


class Cold:
    """Several partitions' joins over one folder and one cache."""

    def __init__(self, pending: int, partitions: int, folder: Path) -> None:
        self.empty, self.cache = resident(), open_cache()
        self.pending, self.partitions, self.folder = pending, partitions, folder
        self.stores = [RocksStore(folder / str(number), self.cache) for number in range(partitions)]
        self.joins = [Join(HORIZON_S, 10**9, store, KEPT) for store in self.stores]
        self.freeze_s = self.write_s = self.longest_s = 0.0

    def figures(self) -> Figures:
        """Fill the disk, then measure one partition of it, then open that anew."""
        return {**self.filled(), **self.used(), "rss_after_bytes": resident() - self.empty, **self.reopened()}

    def filled(self) -> Figures:
        """Predictions come in order of time, checkpointed partition after partition."""
        begun, peak = time.perf_counter(), 0
        for first in range(0, self.pending, CHECKPOINT):
            numbers = range(first, min(first + CHECKPOINT, self.pending))
            self.take(self.partition_of(first), [a_prediction(number) for number in numbers])
            self.checkpoint(self.partition_of(first))
            peak = max(peak, resident() - self.empty)
        return {
            "cold_fill_wall_us": (time.perf_counter() - begun) / self.pending * 1e6,
            "cold_freeze_us": self.freeze_s / self.pending * 1e6,
            "cold_write_us": self.write_s / self.pending * 1e6,
            "cold_write_longest_ms": self.longest_s * 1e3,
            "pending": sum(join.pending for join in self.joins),
            "pending_rss_bytes": resident() - self.empty,
            "pending_rss_peak_bytes": peak,
            "disk_bytes": sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()),
        }

    def used(self) -> Figures:
        """Random outcomes, new predictions, then the oldest twentieth expires."""
        mine = [number for number in range(self.pending) if self.partition_of(number) == 0]
        chosen = random.Random(7).sample(mine, min(50_000, len(mine) // 2))
        outcomes = [an_outcome(number) for number in chosen]
        fresh = [a_prediction(self.pending + number) for number in range(len(chosen))]
        gc.collect()
        gc.freeze()  # a worker does not hold a million events to come: they are not to be collected at its cost
        figures = {
            "cold_outcome_us": each(len(chosen), lambda: self.take(0, outcomes)),
            "cold_prediction_us": each(len(fresh), lambda: self.take(0, fresh)),
        }
        self.checkpoint(0)
        join = self.joins[0]
        join.know(an_outcome(-1, at=HORIZON_S + mine[len(mine) // 20] / 1000))
        begun, expired = time.thread_time(), 0
        while join.is_behind:
            expired += sum(1 for _ in join.expire())
        figures["cold_expire_us"] = (time.thread_time() - begun) / max(1, expired) * 1e6
        figures["cold_expired"] = expired
        self.checkpoint(0)
        return figures

    def reopened(self) -> Figures:
        """How long one partition's store takes to open."""
        pending = self.joins[0].pending
        for store in self.stores:
            store.close()
        begun = time.perf_counter()
        store = RocksStore(self.folder / "0", self.cache)
        join = Join(HORIZON_S, 10**9, store, KEPT)
        took = time.perf_counter() - begun
        assert join.pending == pending
        store.close()
        return {"reopen_s": took}

    def partition_of(self, number: int) -> int:
        """A whole checkpoint's predictions are of one partition."""
        return (number // CHECKPOINT) % self.partitions

    def take(self, partition: int, events: Sequence[Prediction | Outcome]) -> None:
        """Fold in batches, as a worker does."""
        join = self.joins[partition]
        for batch in batches(events):
            join.prefetch(batch)
            folded(join, batch)

    def checkpoint(self, partition: int) -> None:
        """Freeze, write, and keep the times."""
        join, begun, wall = self.joins[partition], time.thread_time(), time.perf_counter()
        changes = join.freeze()
        frozen = time.thread_time()
        self.stores[partition].write(changes, {"predictions": 1})
        join.written(changes)
        self.freeze_s += frozen - begun
        self.write_s += time.thread_time() - frozen
        self.longest_s = max(self.longest_s, time.perf_counter() - wall)


def a_prediction(number: int) -> Prediction:
    """Return the prediction of this number, a millisecond after the one before."""
    name, at, model = identity(number)
    return Prediction(
        prediction_id=name,
        model=model,
        version=f"v{number % 2}",
        at=Instant(at),
        prediction="yes",
        scores=0.7,
        slices={"country": COUNTRIES[number % 4], "tier": TIERS[number % 2], "device": DEVICES[number % 3]},
    )


def an_outcome(number: int, at: float | None = None) -> Outcome:
    """Return its outcome, a minute later."""
    name, said_at, model = identity(number)
    return Outcome(
        prediction_id=name, model=model, at=Instant(said_at + 60 if at is None else at), outcome="no"
    )


def identity(number: int) -> tuple[str, float, str]:
    """Return a random-looking id, the time and the model."""
    mixed = (number * 0x9E3779B97F4A7C15 + 0x1234567) % 2**64
    mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9 % 2**64
    return f"{mixed:016x}", number / 1000, f"model-{number % 200:04d}"


def folded(join: Join, events: Sequence[Prediction | Outcome]) -> None:
    """Fold in batches, each sealed at its end; nothing is due yet."""
    for batch in batches(events):
        for one in batch:
            join.predict(one) if isinstance(one, Prediction) else join.know(one)
        for _ in join.expire():
            pass


def prefetch(join: Join, events: Sequence[Prediction | Outcome]) -> None:
    """Prefetch as a worker does."""
    for batch in batches(events):
        join.prefetch(batch)


def each(count: int, work: Callable[[], object]) -> float:
    """Return microseconds of this thread for one of ``count``."""
    begun = time.thread_time()
    work()
    return (time.thread_time() - begun) / count * 1e6


def batches(events: Sequence[Prediction | Outcome]) -> list[Sequence[Prediction | Outcome]]:
    """Return the events in the portions of a fetch."""
    return [events[first : first + BATCH] for first in range(0, len(events), BATCH)]


def resident() -> int:
    """Return this process's resident bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


if __name__ == "__main__":
    main()
