"""Shell. The lines of an event file, plain or gzipped: none is held whole beyond what an event may have."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, cast

import click

from stream.wire import MAX_BYTES

GZIPPED: Final = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a file.

    Raises:
        click.UsageError: it can't be opened.
    """
    try:
        raw = path.open("rb")
    except OSError as fault:
        raise click.UsageError(f"{path}: {fault.strerror}") from None
    with raw:
        yield raw


def begins_with(raw: BufferedReader, magic: bytes, name: str) -> bool:
    """Return whether a file that nobody has read yet, a pipe too, begins so; nothing of it is taken.

    Raises:
        click.UsageError: it can't be read; says its ``name``.
    """
    try:
        return raw.peek(len(magic)).startswith(magic)
    except OSError as fault:
        raise click.UsageError(f"{name}: {fault.strerror}") from None


def lines_of(raw: BufferedReader, name: str) -> Iterator[bytes]:
    """Yield the lines without their ends, unpacked; one beyond ``MAX_BYTES`` is cut, but not below that.

    Raises:
        click.UsageError: the file can't be read to its end; says its ``name``.
    """
    zipped = begins_with(raw, GZIPPED, name)
    try:
        yield from _cut(cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if zipped else raw)
    except (OSError, EOFError, zlib.error) as fault:
        raise click.UsageError(f"{name}: can't be read to its end: {fault}") from None


def _cut(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(MAX_BYTES + 2):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES)
        yield line.rstrip(b"\r\n")
