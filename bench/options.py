"""Edge. The command line of the benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Sizes; the defaults are those of the figures in ``docs/performance.md``."""

    only: tuple[str, ...]
    repeats: int
    events: int
    fleet: int
    fleet_events: int
    pending: int
    chunk: int
    outcomes_per_series: int
    stock_s: float
    seed: int
    profile: str


def read(arguments: Sequence[str], names: Sequence[str]) -> Options:
    """Return the options; ends the program with a message when they are wrong."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description="The benchmark of issue 4.")
    parser.add_argument("--only", default="", help=f"figures to make, comma separated: {', '.join(names)}")
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repetitions")
    parser.add_argument("--events", type=int, default=800_000, help="records of workload W")
    parser.add_argument("--fleet", type=int, default=20_000, help="models of the large fleet")
    parser.add_argument("--fleet-events", type=int, default=4_000_000, help="records of the large fleet")
    parser.add_argument("--pending", type=int, default=10_000_000, help="predictions without outcome")
    parser.add_argument("--chunk", type=int, default=400_000, help="records of one step of pending_ratio")
    parser.add_argument("--outcomes-per-series", type=int, default=40, help="for bytes_per_series")
    parser.add_argument("--stock-s", type=float, default=8.0, help="seconds of reading of stock Faust")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--profile", default="", metavar="FILE", help="py-spy profile of a worker under W")
    found = parser.parse_args(arguments)
    only = tuple(name for name in found.only.split(",") if name)
    unknown = sorted(set(only) - set(names))
    if unknown:
        parser.error(f"--only {', '.join(unknown)}: want some of {', '.join(names)}")
    return Options(**{**vars(found), "only": only})
