"""Shell. Parquet files: a row is an event, its columns are named as the fields of the wire format.

``slices``, ``features`` and ``scores`` are structs or maps. A null is a field that the event does not have, but in
``features`` it is a missing value, as in JSON. ``at`` may be a timestamp; without a zone it is UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

MAGIC: Final = b"PAR1"
ROWS: Final = 2_000
NESTED: Final = ("slices", "features", "scores")
MISSING: Final = "features"
"""Whose nulls are values."""
AT: Final = "at"
UNHELD: Final = (TypeError, ValueError, KeyError, OverflowError)
"""What pyarrow raises for a time or a map that Python has no value for."""


def events(path: Path, passed: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the rows as JSON; ``passed`` is told how many bytes of the file that is, about.

    A column that the wire format does not name is passed over with the event's other unknown fields.

    Raises:
        click.UsageError: pyarrow is not installed, or the file can't be read to its end.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise click.UsageError(f"{path}: to read Parquet install tidewatch[parquet]") from None
    try:
        with parquet.ParquetFile(path) as file:
            whole, bytes_, done = max(file.metadata.num_rows, 1), path.stat().st_size, 0
            for batch in file.iter_batches(ROWS):
                for row in _whole_microseconds(batch).to_pylist(maps_as_pydicts="strict"):
                    yield msgspec.json.encode(event(row))
                done += batch.num_rows
                passed(bytes_ * done // whole)
    except (OSError, pyarrow.ArrowException, msgspec.EncodeError, *UNHELD) as fault:
        raise click.UsageError(f"{path}: {fault}") from None


def _whole_microseconds(batch: Any) -> Any:
    """Return the batch with an ``at`` that Python can hold: nanoseconds, as pandas writes them, are cut."""
    import pyarrow

    kind: Any = batch.schema.field(AT).type if AT in batch.schema.names else None
    if not str(kind).startswith("timestamp[ns"):
        return batch
    cut = batch.column(AT).cast(pyarrow.timestamp("us", kind.tz), safe=False)
    return batch.set_column(batch.schema.get_field_index(AT), AT, cut)


def event(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as the wire format has it."""
    found = {name: value for name, value in row.items() if value is not None}
    for name in NESTED:
        if isinstance(held := found.get(name), dict) and name != MISSING:
            found[name] = {key: value for key, value in held.items() if value is not None}
    if isinstance(at := found.get(AT), datetime):
        found[AT] = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return found
