"""Parquet files: the same events as JSON lines give the same findings, byte for byte."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from stream.cli import main
from stream.replay.parquet import events
from stream.replay.source import FOREVER
from stream.wire import decode_event
from tests.unit.replay.test_replay import rows, told, write

FIELDS: dict[str, Any] = {"prediction_id": "1", "model": "m", "version": "v1", "prediction": "yes", "at": 1.5}


def written(path: Path, columns: dict[str, pa.Array]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def as_parquet(path: Path) -> Path:
    """Write the events of JSON lines in row groups of 1,000."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    names = {name: None for event in found for name in event}
    table = pa.Table.from_pylist([names | event for event in found])
    parquet.write_table(table, path.with_suffix(".parquet"), row_group_size=1_000)
    return path.with_suffix(".parquet")


def one(tmp_path: Path, **columns: pa.Array) -> dict[str, Any]:
    """Return the only row as JSON has it."""
    plain = {name: pa.array([value]) for name, value in ({"type": "prediction"} | FIELDS).items()}
    path = written(tmp_path / "one.parquet", plain | columns)
    (row,) = events(path, lambda _: None)
    decode_event(row, 0.0, FOREVER)
    found: dict[str, Any] = json.loads(row)
    return found


def test_findings_are_those_of_the_same_events_in_json(tmp_path: Path) -> None:
    plain = write(tmp_path / "e.jsonl", 6_000, worse_from=4_000)
    assert told("replay", as_parquet(plain), "--json") == told("replay", plain, "--json")


def test_files_of_both_kinds_are_read_one_after_the_other(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", 100)
    second = write(tmp_path / "b.jsonl", 100, first=100)
    (summary,) = rows("replay", first, as_parquet(second), "--json")
    assert summary["joined"] == {"matched": 200}


def test_nulls_are_absent_fields_but_missing_features(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        outcome=pa.array([None], pa.string()),
        slices=pa.array([{"city": "lima", "tier": None}]),
        features=pa.array(
            [{"age": None, "km": 2.5}], pa.struct([("age", pa.float64()), ("km", pa.float64())])
        ),
    )
    assert row["slices"] == {"city": "lima"}
    assert row["features"] == {"age": None, "km": 2.5}
    assert "outcome" not in row


def test_maps_are_objects(tmp_path: Path) -> None:
    scores = pa.array([[("no", 0.25), ("yes", 0.75)]], pa.map_(pa.string(), pa.float64()))
    assert one(tmp_path, scores=scores)["scores"] == {"no": 0.25, "yes": 0.75}


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 11, 24, 12, tzinfo=UTC),
        datetime(2026, 11, 24, 12),
        datetime(2026, 11, 24, 13, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_timestamps_are_instants_without_a_zone_utc(tmp_path: Path, at: datetime) -> None:
    assert one(tmp_path, at=pa.array([at]))["at"] == 1_795_521_600.0


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_nanoseconds_as_pandas_writes_them_are_cut(tmp_path: Path, zone: str | None) -> None:
    at = pa.array([1_795_521_600_123_456_789], pa.timestamp("ns", zone))
    assert one(tmp_path, at=at)["at"] == 1_795_521_600.123456


@pytest.mark.parametrize(
    "column",
    [
        {"at": pa.array([10**15], pa.timestamp("s"))},
        {"slices": pa.array([[("a", "b"), ("a", "c")]], pa.map_(pa.string(), pa.string()))},
    ],
    ids=["a time beyond all years", "a map with a key twice"],
)
def test_what_python_has_no_value_for_is_told_of_its_file(
    tmp_path: Path, column: dict[str, pa.Array]
) -> None:
    path = written(tmp_path / "odd.parquet", {"type": pa.array(["prediction"])} | column)
    assert f"{path}: " in told("replay", path, code=2)


def test_rows_that_are_no_events_are_counted_by_reason(tmp_path: Path) -> None:
    path = written(tmp_path / "bad.parquet", {"type": pa.array(["prediction", "nonsense"])})
    (summary,) = rows("replay", path, "--json")
    assert sum(summary["refused"].values()) == 2


def test_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "half.parquet"
    written(path, {"type": pa.array(["prediction"])})
    path.write_bytes(path.read_bytes()[:-20])
    result = CliRunner().invoke(main, ["replay", str(path)])
    assert result.exit_code == 2
    assert "half.parquet" in result.output
