"""Shell. What the commands read: event files, or a range of Kafka; the parameters that say so."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import Progress

from stream.garbage import collect_seldom
from stream.replay.kafka import Range, Reader
from stream.replay.source import Line, by_time, lines
from stream.settings import load

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
ORDER = click.Choice(["arrival", "at"])
Order = Literal["arrival", "at"]


@dataclass(frozen=True, slots=True)
class Source:
    """What is read: files, or a range of the input topics when ``within`` is given."""

    files: tuple[Path, ...]
    within: Range | None
    order: Order

    def repeatable(self, now: float) -> Source:
        """Return what is the same each time it is read: of Kafka only what it had got by ``now``.

        Raises:
            click.UsageError: a pipe is among the files.
        """
        for path in self.files:
            if not path.is_file():
                raise click.UsageError(f"{path}: is read twice: want a file")
        if self.within is None or self.within.until is not None:
            return self
        return replace(self, within=self.within._replace(until=now))

    @contextmanager
    def reading(self, config: Path | None) -> Iterator[Iterable[Line]]:
        """Give the lines, with a progress bar on a terminal; ``config`` says where Kafka is."""
        collect_seldom()
        reader = None if self.within is None else Reader(load(config), self.within)
        sizes = [path.stat().st_size for path in self.files]
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
            task = bar.add_task("reading", total=None)
            passed, before = 0, 0

            def done(position: int) -> None:
                nonlocal passed, before
                passed, before = passed + position - (before if position >= before else 0), position
                bar.update(task, completed=passed, total=sum(sizes) if reader is None else reader.size)

            read = lines(self.files, done) if reader is None else reader.lines(done)
            yield by_time(read) if self.order == "at" else read


def source(command: Callable[..., None]) -> Callable[..., None]:
    """Add what events are read from, as the parameter ``of``: FILE... or a range of Kafka, and their order."""

    @click.argument("files", nargs=-1, type=EXISTING, metavar="FILE...")
    @click.option("--kafka", is_flag=True, help="Read the settings' input topics in place of files.")
    @click.option(
        "--since", metavar="INSTANT", help="Of --kafka: RFC 3339 with an offset. [default: its beginning]"
    )
    @click.option("--until", metavar="INSTANT", help="Of --kafka: before this instant. [default: now]")
    @click.option(
        "--order",
        type=ORDER,
        default="arrival",
        show_default=True,
        help="The order of the lines, as they reached Kafka; or of at, which files want that overlap in time.",
    )
    @wraps(command)
    def read(
        files: tuple[Path, ...],
        kafka: bool,
        since: str | None,
        until: str | None,
        order: Order,
        **others: Any,
    ) -> None:
        if kafka == bool(files):
            raise click.UsageError("want FILE... or --kafka, one of them")
        if not kafka and (since or until):
            raise click.UsageError("--since and --until go with --kafka")
        within = Range(0.0 if since is None else _instant(since), None if until is None else _instant(until))
        if within.until is not None and within.until <= within.since:
            raise click.UsageError(f"--until {until}: want an instant after --since {since}")
        command(of=Source(files, within if kafka else None, order), **others)

    return read


def _instant(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise click.UsageError(f'{text!r}: want an instant such as "2026-11-24T03:00:00+01:00"')
    return found.timestamp()
