"""Shell. ``tidewatch demo``: a stream, a Kafka, a worker and a pager, and whether the right team was told."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import click

_T = TypeVar("_T")
STREAMS = ("company", "elec2")
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Who watches wants it to end."""


def _addresses(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    from pydantic import ValidationError

    from stream.settings import KafkaSettings

    try:
        KafkaSettings.model_validate({} if given is None else {"brokers": given})
    except ValidationError:
        raise click.BadParameter(f'{given!r}: want hosts and their ports, such as "a:9092,b:9092"') from None
    return given


@click.command()
@click.option(
    "--stream",
    type=click.Choice(STREAMS),
    default="company",
    show_default=True,
    help="A made-up ride-hailing company, or a real recorded stream.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the story.")
@click.option("--seed", type=int, help="Play the same company again; chosen at random otherwise.")
@click.option("--brokers", callback=_addresses, help="Use this Kafka instead of an embedded one.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    help="Seconds until it gives up, from when Kafka is up.",
)
def demo(stream: str, as_json: bool, seed: int | None, brokers: str | None, timeout_s: float) -> None:
    """Watch a model get worse, and the page; your own settings are not asked."""
    from aiokafka.errors import KafkaError

    from stream.cluster import ClusterError
    from stream.demo.processes import Failed
    from stream.kafka.errors import EmbeddedKafkaError

    if seed is not None and stream != "company":
        raise click.UsageError(f"--seed {seed}: stream {stream} is recorded, nothing in it is left to chance")
    show = Show(stream, as_json, secrets.randbelow(1 << 31) if seed is None else seed, brokers, timeout_s)
    for ending in _heard():
        signal.signal(ending, signal.default_int_handler)
    try:
        report = asyncio.run(_until_told_to_end(show.play()))
    except (KeyboardInterrupt, Interrupted):
        click.echo("stopped; no process is left behind", err=True)
        sys.exit(130)
    except (Failed, EmbeddedKafkaError, ClusterError, KafkaError) as fault:
        report = {"stream": stream, "differences": [str(fault)]}
    if as_json:
        click.echo(json.dumps(report, indent=2))
    show.conclude(report["differences"])
    sys.exit(1 if report["differences"] else 0)


def _heard() -> Iterator[signal.Signals]:
    """Yield what ends the demo: a shell starts background jobs deaf to SIGINT, but nohup means it."""
    for ending in ENDINGS:
        if ending is not signal.SIGHUP or signal.getsignal(ending) is not signal.SIG_IGN:
            yield ending


async def _until_told_to_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Await ``work``; the first of ``ENDINGS`` cancels it between two turns of the loop, later ones do nothing.

    A handler of ``signal`` may run between any two bytecodes, where asyncio's own callbacks (``sock_connect``)
    have just found their future unfinished.

    Raises:
        Interrupted: a signal came.
    """
    loop, task, told = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

    def end() -> None:
        if task is not None and not told.is_set():
            told.set()
            task.cancel()

    for ending in _heard():
        loop.add_signal_handler(ending, end)
    try:
        return await work
    except asyncio.CancelledError:
        if told.is_set():
            raise Interrupted from None
        raise


@dataclass(frozen=True)
class Show:
    """One run; ``play`` returns what happened as a JSON-able report."""

    stream: str
    as_json: bool
    seed: int
    brokers: str | None
    timeout_s: float

    def say(self, text: str) -> None:
        """Tell the story: on stdout, or on stderr beside ``--json``."""
        click.echo(text, err=self.as_json)

    async def play(self) -> dict[str, Any]:
        """Run everything; all processes have ended when this returns or raises."""
        from stream.demo import stage

        began = time.monotonic()
        async with AsyncExitStack() as stack:
            if self.stream == "company":
                from stream.demo.company import CAST, SETTINGS, Company

                self.say(f"a ride-hailing company, seed {self.seed}")
                built = await stage.build(stack, self.brokers, CAST, self.timeout_s, self.say, SETTINGS)
                report = {"seed": self.seed, **await Company(built, self.seed).play()}
            else:
                from stream.demo import replay

                recording = replay.RECORDINGS[self.stream]()
                self.say(recording.summary)
                cast, extra = recording.teams, replay.settings(recording)
                built = await stage.build(stack, self.brokers, cast, self.timeout_s, self.say, extra)
                report = await replay.Replay(built, recording).play()
        return {"stream": self.stream, "took_s": round(time.monotonic() - began, 1), **report}

    def conclude(self, differences: list[str]) -> None:
        """Say how it ended."""
        for difference in differences:
            self.say(f"WRONG: {difference}")
        self.say(
            "the demo failed" if differences else "exactly the right team was told exactly the right thing"
        )
