"""``python -m tests.chaos``: the whole suite; its last line is one JSON object. See docs/testing-by-chaos.md."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.chaos import load, old, pagers, refusals, rounds
from tests.chaos.nodes import Cluster
from tests.chaos.pagers import Delivered
from tests.chaos.rounds import Verdict
from tests.chaos.storms import CALM, PAGER_STORMS, STORMS, THREE_NODES, Storm

LOADS = {
    "plain": {},
    "untidy": {"duplicated": 0.15, "corrected": 0.08, "late": 0.05, "poison": 0.03, "shuffle_s": 30.0},
}
FINDINGS_PER_S = 40.0


def _gone_on(_: Cluster, kept: Path) -> list[str]:
    return old.faults_of(kept)


CHECKS: dict[str, Callable[[Cluster], list[str]]] = {
    **refusals.REFUSALS,
    **{f"old checkpoint {kept.stem}": partial(_gone_on, kept=kept) for kept in old.files()},
}


def main(words: Sequence[str]) -> int:
    """Run the suite; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--events", type=int, default=30_000, help="events a round")
    parser.add_argument("--rate", type=float, default=2_500.0, help="events a second")
    parser.add_argument("--incidents", type=int, default=1_000, help="incidents a round of pagers")
    parser.add_argument("--only", default="", help="run the storms whose name holds this")
    parser.add_argument("--list", action="store_true", help="list the storms")
    asked = parser.parse_args(words)
    chosen = [storm for storm in (*STORMS, THREE_NODES) if asked.only in storm.name]
    paging = [storm for storm in PAGER_STORMS if asked.only in storm.name]
    checks = [name for name in CHECKS if asked.only in name]
    if asked.list:
        print(*(storm.name for storm in (*chosen, *paging)), *checks, sep="\n")
        return 0
    print(
        f"seed {asked.seed}: {len(chosen) + len(paging)} storms, {len(checks)} refusals and migrations",
        flush=True,
    )
    verdicts = suite(chosen, asked.seed, asked.events, asked.rate)
    delivered = storm_pagers(paging, asked.seed, asked.incidents)
    wrong = check(checks)
    told = summary(verdicts) | pagers.summary(delivered)
    print(json.dumps(told | {"refusals_and_migrations": len(checks), "of_them_wrong": wrong}))
    shown = all(one.is_right and not one.not_shown for one in (*verdicts, *delivered))
    return 0 if shown and not wrong else 1


def storm_pagers(chosen: Sequence[Storm], seed: int, incidents: int) -> list[Delivered]:
    """Run the storms of the pagers; return what they showed."""
    shown: list[Delivered] = []
    if not chosen:
        return shown
    with Cluster() as cluster:
        for storm in chosen:
            own_seed = seed + zlib.crc32(storm.name.encode())
            one = pagers.shown(cluster, storm, own_seed, incidents, FINDINGS_PER_S)
            shown.append(one)
            print(
                f"{'right' if one.is_right else 'WRONG'}  {one.storm}: {one.seconds:.0f} s, {one.incidents}"
                f" incidents, {one.messages} notifications, {one.repeats} of them repeats, {one.refused} refused,"
                f" {one.starts} starts, {one.senders} senders, exits {one.exits or 'none'}",
                *(f"       {fault}" for fault in (*one.complaints, *_named(one.faults))),
                *(f"       NOT SHOWN, in two tries: {what}" for what in one.not_shown),
                sep="\n",
                flush=True,
            )
    return shown


def _named(faults: dict[str, int]) -> list[str]:
    return [f"{name} {count}" for name, count in faults.items() if count]


def check(names: Sequence[str]) -> int:
    """Run the checks that need no storm; return how many were wrong."""
    if not names:
        return 0
    wrong = 0
    with Cluster() as cluster:
        for name in names:
            faults = CHECKS[name](cluster)
            wrong += bool(faults)
            print(f"{'WRONG' if faults else 'right'}  {name}", *faults[:5], sep="\n       ", flush=True)
    return wrong


def suite(chosen: Sequence[Storm], seed: int, events: int, per_s: float) -> list[Verdict]:
    """Run each storm against the calm run of the same events; return the verdicts, calm runs too."""
    verdicts: list[Verdict] = []
    base_at = float(int(time.time()) - 3 * 86_400)
    for nodes in sorted({storm.nodes for storm in chosen}):
        with Cluster(nodes) as cluster:
            calm: dict[str, Verdict] = {}
            for storm in (storm for storm in chosen if storm.nodes == nodes):
                shape = load.Shape(events=events, **LOADS[storm.load])  # type: ignore[arg-type]
                records = load.build(seed, shape, base_at)
                if storm.load not in calm:
                    verdicts.append(rounds.run(cluster, records, shape, CALM, seed, per_s))
                    calm[storm.load] = verdicts[-1]
                    verdicts[-1].expect_findings(shape.degraded)
                    verdicts[-1].expect_names()
                    tell(verdicts[-1])
                verdicts.append(
                    rounds.shown(
                        cluster,
                        records,
                        shape,
                        storm,
                        seed + zlib.crc32(storm.name.encode()),
                        per_s,
                        calm[storm.load],
                    )
                )
                tell(verdicts[-1])
    return verdicts


def tell(verdict: Verdict) -> None:
    """Print one line on a round, and what was wrong."""
    sign = "right" if verdict.is_right else "WRONG"
    found = (
        f"{len(verdict.findings)} (lost {verdict.lost}, extra {verdict.extra}, twice {verdict.duplicated})"
    )
    print(
        f"{sign}  {verdict.storm}: {verdict.seconds:.0f} s, {verdict.events} events, miscounted"
        f" {len(verdict.miscounted)}, findings {found}, zombie writes {verdict.zombie_writes},"
        f" fenced {verdict.fenced}, hung {verdict.hung},"
        f" fault points {verdict.faults_fired} of {verdict.faults_asked},"
        f" input repeated {verdict.input_repeated}, lost {verdict.input_lost}, void tries {verdict.void},"
        f" misrouted named {verdict.misrouted_named:.0f}, exits {verdict.exits or 'none'}",
        flush=True,
    )
    for what in verdict.not_shown:
        print(f"       NOT SHOWN, in {verdict.tries} tries: {what}")
    for line in (*verdict.miscounted[:12], *(f"lost: {one}" for one in verdict.lost_findings[:12])):
        print(f"       {line}", flush=True)


def summary(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Return the JSON line's object."""
    return {
        "rounds": sum(verdict.storm != CALM.name for verdict in verdicts),
        "events": sum(verdict.events for verdict in verdicts),
        "miscounted": sum(len(verdict.miscounted) for verdict in verdicts),
        "findings_lost": sum(verdict.lost for verdict in verdicts),
        "findings_extra": sum(verdict.extra for verdict in verdicts),
        "findings_duplicated": sum(verdict.duplicated for verdict in verdicts),
        "zombie_writes_counted": sum(verdict.zombie_writes for verdict in verdicts),
        "zombies_fenced": sum(verdict.fenced for verdict in verdicts),
        "hanging_transactions": sum(verdict.hung for verdict in verdicts),
        "zombie_rounds_not_shown": sum(not verdict.shows_fencing for verdict in verdicts),
        "fault_rounds_not_shown": sum(not verdict.shows_fault for verdict in verdicts),
        "input_repeated": sum(verdict.input_repeated for verdict in verdicts),
        "input_lost": sum(verdict.input_lost for verdict in verdicts),
        "void_tries": sum(verdict.void for verdict in verdicts),
        "workers_that_ended_by_themselves": sum(len(verdict.exits) for verdict in verdicts),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
