"""Shell. ``tidewatch verdict``: may a version be promoted, as the newest committed checkpoint knows it.

Reads the one partition that is the model's, beside the workers and without disturbing them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec
from msgspec.structs import replace

from stream import state
from stream.digits import in_digits
from stream.engine.connection import client_options
from stream.instant import in_words
from stream.monitor import Monitor
from stream.settings import Settings, load
from stream.verdict.difference import Interval
from stream.verdict.verdict import Decision, Reason, Side, Verdict, verdict
from stream.wire import partition_for

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

EXIT_CODES: Final = {Decision.PROMOTE: 0, Decision.HOLD: 3, Decision.ROLL_BACK: 4}
"""1 and 2 are for what failed: 2 is click's for a wrong call."""
FINAL: Final = frozenset((Reason.RETIRED, Reason.OTHER_TASK))
"""Reasons to hold that no label changes."""
UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}

SAID: Final = {
    Reason.BETTER: "it is better",
    Reason.NO_WORSE: "it is no worse than is tolerated",
    Reason.WORSE: "it is worse",
    Reason.WORSE_SLICE: "it is worse in a slice than is tolerated",
    Reason.OPEN_FINDING: "a finding of it is open that the other version has not",
    Reason.FINDING_IN_DOUBT: "a finding of it is open, and the other version may have got worse as well",
    Reason.UNDECIDED: "more labels are needed",
    Reason.SLICE_IN_DOUBT: "it is worse in a slice, and may be so by more than is tolerated",
    Reason.TOO_FEW_LABELS: "too few labels, or neither version has a reference yet",
    Reason.TOO_FEW_ERRORS: "too few errors to tell",
    Reason.NOT_CONCURRENT: "no time yet that both served, in a slice that both have, and that is labelled by now",
    Reason.RETIRED: "it is retired",
    Reason.OTHER_TASK: "the other version is of another kind: a regression and a classification don't compare",
    Reason.ALONE: "the model has no other version",
}


class Unknown(Exception):
    """The checkpoint does not have what was asked for; the message says what it has."""


def _duration(_context: click.Context, _option: click.Parameter, given: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", given)
    if found is None:
        raise click.BadParameter(f'{given!r}: want a duration such as "90s", "30m" or "2h"')
    return float(found[1]) * UNITS[found[2]]


@click.command("verdict")
@click.argument("model")
@click.argument("version")
@click.option("--against", metavar="VERSION", help="The version it is held against. [default: the live one]")
@click.option(
    "--wait",
    "wait_s",
    metavar="DURATION",
    default="0",
    callback=_duration,
    help="Ask again for so long while it is hold: 90s, 30m, 2h.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file; the environment comes first.")
def command(
    model: str, version: str, against: str | None, wait_s: float, as_json: bool, config: Path | None
) -> None:
    """Say if VERSION of MODEL may be promoted (exit code 0), is to be held (3) or rolled back (4)."""
    from stream.engine.checkpoint import CheckpointError
    from stream.topics import demand, named_if_lost

    if version == against:
        raise click.UsageError(f"--against {against}: want another version than the one that is judged")
    settings = load(config)
    demand(settings, "tidewatch verdict", reads=(settings.topics.checkpoints,))
    try:
        with named_if_lost(settings):
            found = asyncio.run(_asked(settings, model, version, against, wait_s))
    except (Unknown, CheckpointError) as fault:
        raise click.ClickException(str(fault)) from fault
    except state.MonitorStateError as fault:
        raise click.ClickException(f"model {model!r}: {fault}") from fault
    click.echo(msgspec.json.encode(found) if as_json else "\n".join(_lines(found)))
    raise SystemExit(EXIT_CODES[found.decision])


async def _asked(settings: Settings, model: str, version: str, against: str | None, wait_s: float) -> Verdict:
    """Return the verdict; one to hold only when it is final, or the time is over.

    Raises:
        Unknown: model or version are not known, also not in the end.
    """
    from stream.engine.reading import reader

    until = time.monotonic() + wait_s
    async with reader(client_options(settings.kafka)) as consumer:
        while True:
            began = time.monotonic()
            try:
                monitor, known_at = await _monitor(consumer, settings, model)
                found = _verdict(monitor, version, against, settings.monitor.minimum_increase)
                found = replace(found, known_at=known_at)
                if found.decision is not Decision.HOLD or found.reason in FINAL or began >= until:
                    return found
            except Unknown:
                if began >= until:
                    raise
            now = time.monotonic()  # half of the time at most is spent on reading
            await asyncio.sleep(
                min(max(settings.worker.checkpoint_interval_s, now - began), max(until - now, 0.0))
            )


async def _monitor(consumer: AIOKafkaConsumer, settings: Settings, model: str) -> tuple[Monitor, float]:
    """Return the model's monitor, and when the newest checkpoint of its partition was written.

    Raises:
        Unknown: its partition has none.
    """
    from aiokafka import TopicPartition

    from stream.engine.checkpoint import marker_of, undamaged
    from stream.engine.partition import MARKER
    from stream.engine.reading import read_range

    topic, home = settings.topics.checkpoints, partition_for(model, settings.topics.partitions)
    tp = TopicPartition(topic, home)
    key = state.key_of(model)
    newest: dict[bytes, ConsumerRecord] = {}
    start, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
    with undamaged():
        async for batch in read_range(consumer, tp, start, end):
            newest.update((one.key, one) for one in batch if one.key in (key, MARKER))
    marker, found = newest.get(MARKER), newest.get(key)
    if marker is not None:
        marker_of(marker.value, tp)
    if found is None or found.value is None:
        raise Unknown(
            f"model {model!r}: not in the checkpoints ({topic}, partition {home}); "
            "tidewatch figures prints those that are"
        )
    return state.load(found.value), (marker or found).timestamp / 1_000.0


def _verdict(monitor: Monitor, version: str, against: str | None, increase: float) -> Verdict:
    for one in (version, against):
        if one is not None and one not in monitor.versions:
            known = ", ".join(monitor.versions) or "none"
            raise Unknown(f"version {one!r}: has no predictions of {monitor.model}; those that have: {known}")
    return verdict(monitor, version, against, increase)


def _lines(found: Verdict) -> Iterator[str]:
    """Yield the verdict for people."""
    other = "" if found.other is None else f" against {_named(found.other)}"
    yield f"{found.model} {_named(found.candidate)}{other}"
    yield f"{found.decision.replace('_', ' ').upper()}: {SAID[found.reason]}"
    if found.other is not None and found.candidate.labels and found.other.labels:
        yield from _figures(found, found.other)
    if found.finding is not None:
        yield f"  open since {in_words(found.finding.onset_at)}: {found.finding.summary}"
    if found.slice is not None:
        yield f"  least well in {found.slice}: {_interval(found.slice_difference)}"
    if found.mix is not None:
        moved, name = found.mix.moved, found.mix.name
        yield f"  {moved:.0%} of the traffic differs by {name}: compared within {name}"
    if found.uneven_s:
        yield f"  {found.uneven_s / 3_600.0:.0f} h are left out: the share of traffic was moved"
    if not isnan(found.known_at):
        yield f"  as the checkpoint of {in_words(found.known_at)} knows it"


def _figures(found: Verdict, other: Side) -> Iterator[str]:
    yield f"  both served from {in_words(found.since_at)} to {in_words(found.until_at)}"
    for side in (found.candidate, other):
        yield f"  {found.metric} {_interval(side.figure)} of {side.labels:,} labels of {side.version}"
    end = "down to" if found.metric == "accuracy" else "up to"
    yield f"  difference {_interval(found.difference)}; {end} {in_digits(found.tolerated)} is no worse"


def _named(side: Side) -> str:
    return side.version if side.stage is None else f"{side.version} ({side.stage})"


def _interval(of: Interval) -> str:
    return f"{in_digits(of.value)} ({in_digits(of.lower)} to {in_digits(of.upper)})"
