"""Shell. ``make bench``: runs the measurements one after the other; the last line printed is one JSON object."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import flame, fleet, others, pair, pending, replay, restore, series, stall, throughput
from bench.cluster import Cluster, as_json
from bench.figure import lines
from bench.options import Options, read
from bench.session import Session
from stream.kafka.embedded import EmbeddedKafka

Measure = Callable[[Session], Awaitable[None]]


def chosen(options: Options) -> list[Measure]:
    """Return the measurements that make the figures asked for, each once, in order."""
    names = options.only or tuple(MEASURES)
    return list(dict.fromkeys(measure for name, measure in (MEASURES | EXTRAS).items() if name in names))


def needs_kafka(options: Options) -> bool:
    """Return whether a broker has to be started for what was asked."""
    return bool(options.profile) or any(one not in WITHOUT_KAFKA for one in chosen(options))


async def run(options: Options) -> Session:
    """Measure on a fresh embedded Kafka, where one is needed."""
    kafka = EmbeddedKafka(heap="1g")
    started = kafka if needs_kafka(options) else contextlib.nullcontext()
    with tempfile.TemporaryDirectory(prefix="tidewatch-bench-") as folder, started:
        session = Session(Cluster(kafka, Path(folder)), options)
        if options.profile:
            await flame.record(session, Path(options.profile))
            return session
        for measure in chosen(options):
            try:
                await measure(session)
            except Exception as fault:  # an hour's other figures must not be lost
                session.failures.append(f"{measure.__module__}: {fault}")
                session.say(f"FAILED {session.failures[-1]}")
        return session


def report(session: Session) -> None:
    """Print what people read, then one line for programs."""
    cores, load = os.cpu_count(), os.getloadavg()
    noise = ", ".join(f"{one * 1_000:.0f}" for one in session.spins)
    print(f"machine: {cores} cores, load now {load[0]:.1f}; sizes: {session.options}")
    print(f"noise: the same Python loop between repetitions took {noise} ms")
    print("\n".join([*lines(session.figures), *session.notes]))
    for failure in session.failures:
        print(f"FAILED {failure}")
    print(
        as_json(
            {
                **dict.fromkeys(session.options.only or MEASURES, float("nan")),
                **{one.name: one.value for one in session.figures},
            }
        )
    )


def main() -> None:
    """Run the benchmark."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    session = asyncio.run(run(read(sys.argv[1:], tuple(MEASURES | EXTRAS))))
    report(session)
    sys.exit(1 if session.failures else 0)


MEASURES: dict[str, Measure] = {
    "ratio_bare": throughput.measure,
    "ratio_stock_faust": throughput.measure,
    "fleet_ratio": fleet.measure,
    "two_worker_ratio": pair.measure,
    "bytes_per_series": series.measure,
    "pending_rss_bytes": pending.measure,
    "pending_ratio": pending.measure,
    "stall_p99_ms": stall.measure,
    "restore_s": restore.measure,
    "replay_events_s": replay.measure,
    "replay_ratio": replay.measure,
}
EXTRAS: dict[str, Measure] = {"quix_events_s": others.measure, "bytewax_events_s": others.measure}
"""What is measured only when it is asked for by name."""
WITHOUT_KAFKA: tuple[Measure, ...] = (series.measure, replay.measure)

if __name__ == "__main__":
    main()
