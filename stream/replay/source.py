"""Shell. Event files: JSON lines, plain or gzipped, or Parquet, in the order of the lines or of ``at``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from stream.engine.partition import Header
from stream.lines import begins_with, lines_of, opened
from stream.refusal import DecodeError
from stream.replay import parquet
from stream.wire import Tolerance, headers_in_file, read_event

BATCH = 2_000
FOREVER = Tolerance(float("inf"), 7_258_118_400.0)
"""A file's events may be of any age, but not after the year 2199: a time like that would end all waiting."""


class Line(NamedTuple):
    """One line of a file, as the fold takes it: in place of a Kafka record."""

    topic: str
    offset: int
    value: bytes
    timestamp: int = 0
    partition: int = 0
    key: bytes | None = None
    headers: Sequence[Header] = ()


UNSENT: Final = (0, 0, None)
"""A line's timestamp, partition and key: a file has none."""
_line: Callable[[type[Line], tuple[object, ...]], Line] = tuple.__new__  # skips a Python frame


def lines(paths: Iterable[Path], passed: Callable[[int], None]) -> Iterator[Line]:
    """Yield the lines of the files, one file after the other; ``passed`` is told how many bytes were read.

    Raises:
        click.UsageError: a file can't be read to its end.
    """
    for path in paths:
        topic = str(path)
        with opened(path) as raw:
            if begins_with(raw, parquet.MAGIC, topic):
                rows = enumerate(parquet.events(path, passed), 1)
                yield from (_line(Line, (topic, number, row, *UNSENT, ())) for number, row in rows)
                continue
            has_place = raw.seekable()
            for number, line in enumerate(lines_of(raw, topic), 1):
                if has_place and not number % BATCH:
                    passed(raw.tell())
                if line and not line.isspace():
                    yield _line(Line, (topic, number, line, *UNSENT, headers_in_file(line)))


def by_time(found: Iterable[Line]) -> list[Line]:
    """Return the lines ordered by ``at``, equal ones as they came; what can't be read goes first."""

    def at(line: Line) -> float:
        event, _ = read_event(line.value, line.headers, 0.0, FOREVER)
        return float("-inf") if isinstance(event, DecodeError) else float(event.at)

    return sorted(found, key=at)


def batches(found: Iterable[Line]) -> Iterator[list[Line]]:
    """Yield the lines in batches as the worker would fetch them."""
    batch: list[Line] = []
    for line in found:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
