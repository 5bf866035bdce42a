"""What the join costs, in microseconds per operation and bytes of resident memory.

    python bench/join_cost.py [--pending 10000000] [--partitions 8] [--folder /tmp/join_cost]

Hot: all in memory. Cold: ``--pending`` predictions wait on disk, then random ones of them get their outcomes,
new predictions come, and the oldest expire. Ids are random hex, 200 models, 2 versions, 3 slices. The last line
is one JSON object.
"""

import argparse
import gc
import json
import random
import shutil
import time
from pathlib import Path

from stream.events import Instant, Outcome, Prediction
from stream.join import Join
from stream.pending import MemoryStore, RocksStore, open_cache

BATCH, CHECKPOINT = 1_000, 50_000
HORIZON_S = 1e6
COUNTRIES, TIERS, DEVICES = ("se", "de", "fr", "it"), ("free", "paid"), ("ios", "android", "web")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/join_cost"))
    options = parser.parse_args()
    figures = {**hot(200_000), **cold(options.pending, options.partitions, options.folder)}
    for name, value in figures.items():
        print(f"{name:34} {value:>14,.2f}")
    print(json.dumps(figures))


def hot(count):
    """All in memory, no checkpoint between prediction and outcome."""
    join = Join(HORIZON_S, 10 * count, MemoryStore(), 10 * count)
    predictions = [a_prediction(number) for number in range(count)]
    outcomes = [an_outcome(number) for number in range(count)]
    gc.collect()
    gc.disable()
    figures = {
        "hot_prefetch_us": each(count, lambda: [join.prefetch(one) for one in batches(predictions)]),
        "hot_predict_us": each(count, lambda: [join.predict(one) for one in predictions]),
        "hot_expire_nothing_us": each(count, lambda: [[*join.expire()] for _ in range(count)]),
        "freeze_predictions_us": each(count, join.freeze),
        "hot_know_us": each(count, lambda: [join.know(one) for one in outcomes]),
        "freeze_matched_us": each(count, join.freeze),
    }
    gc.enable()
    return figures


def cold(pending, partitions, folder):
    """Fill the disk, then measure on one partition of several."""
    shutil.rmtree(folder, ignore_errors=True)
    empty, cache = resident(), open_cache()
    stores = [RocksStore(folder / str(number), cache) for number in range(partitions)]
    joins = [Join(HORIZON_S, 10**9, store, 20_000) for store in stores]
    spent = {"freeze": 0.0, "write": 0.0, "longest": 0.0}
    begun = time.perf_counter()
    for first in range(0, pending, CHECKPOINT):
        partition = (first // CHECKPOINT) % partitions
        join = joins[partition]
        for batch in batches(
            [a_prediction(number) for number in range(first, min(first + CHECKPOINT, pending))]
        ):
            join.prefetch(batch)
            for one in batch:
                join.predict(one)
        checkpoint(join, stores[partition], spent)
    filled = {
        "cold_fill_us": (time.perf_counter() - begun) / pending * 1e6,
        "cold_freeze_us": spent["freeze"] / pending * 1e6,
        "cold_write_us": spent["write"] / pending * 1e6,
        "cold_write_longest_ms": spent["longest"] * 1e3,
        "pending": sum(join.pending for join in joins),
        "pending_rss_bytes": resident() - empty,
        "disk_bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    }
    used = used_cold(joins, stores, pending, partitions)
    return {**filled, **used, "rss_after_bytes": resident() - empty, **reopened(joins, stores, folder, cache)}


def used_cold(joins, stores, pending, partitions):
    count = min(50_000, pending // 10)
    mine = [number for number in range(pending) if (number // CHECKPOINT) % partitions == 0]
    join, store = joins[0], stores[0]
    chosen = random.Random(7).sample(mine, min(count, len(mine) // 2))
    outcomes = [an_outcome(number) for number in chosen]
    fresh = [a_prediction(pending + number) for number in range(count)]
    spent = {"freeze": 0.0, "write": 0.0, "longest": 0.0}
    figures = {
        "cold_outcome_prefetch_us": each(len(chosen), lambda: fold(join, outcomes, prefetch=True)),
        "cold_outcome_know_us": each(len(chosen), lambda: fold(join, outcomes, prefetch=False)),
        "cold_prediction_us": each(count, lambda: fold(join, fresh, prefetch=True)),
    }
    checkpoint(join, store, spent)
    join.know(an_outcome(-1, at=HORIZON_S + mine[len(mine) // 20] / 1000))
    begun, expired = time.perf_counter(), sum(1 for _ in join.expire())
    figures["cold_expire_us"] = (time.perf_counter() - begun) / max(1, expired) * 1e6
    figures["cold_expired"] = expired
    checkpoint(join, store, spent)
    return figures


def reopened(joins, stores, folder, cache):
    pending = joins[0].pending
    joins.clear()
    for store in stores:
        store.close()
    begun = time.perf_counter()
    store = RocksStore(folder / "0", cache)
    join = Join(HORIZON_S, 10**9, store, 20_000)
    assert join.pending == pending
    took = time.perf_counter() - begun
    store.close()
    shutil.rmtree(folder)
    return {"reopen_s": took}


def fold(join, events, *, prefetch):
    """Prefetch only, or take: prefetched ones are in memory by then."""
    for batch in batches(events):
        if prefetch:
            join.prefetch(batch)
        if isinstance(batch[0], Prediction):
            for one in batch:
                join.predict(one)
        elif not prefetch:
            for one in batch:
                join.know(one)


def checkpoint(join, store, spent):
    begun = time.perf_counter()
    changes = join.freeze()
    frozen = time.perf_counter()
    store.write(changes, {"predictions": 1})
    join.written(changes)
    took = time.perf_counter() - frozen
    spent["freeze"] += frozen - begun
    spent["write"] += took
    spent["longest"] = max(spent["longest"], took)


def a_prediction(number):
    name, _, model = identity(number)
    slices = {"country": COUNTRIES[number % 4], "tier": TIERS[number % 2], "device": DEVICES[number % 3]}
    return Prediction(
        prediction_id=name,
        model=model,
        version=f"v{number % 2}",
        at=Instant(number / 1000),
        prediction="yes",
        scores=0.7,
        slices=slices,
    )


def an_outcome(number, at=None):
    name, at_s, model = identity(number)
    return Outcome(prediction_id=name, model=model, at=Instant(at_s + 60 if at is None else at), outcome="no")


def identity(number):
    mixed = (number * 0x9E3779B97F4A7C15 + 0x1234567) % 2**64
    mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9 % 2**64
    return f"{mixed:016x}", number / 1000, f"model-{number % 200:04d}"


def each(count, work):
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) / count * 1e6


def batches(events):
    return [events[first : first + BATCH] for first in range(0, len(events), BATCH)]


def resident():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


if __name__ == "__main__":
    main()
