"""All that the suite knows of the service's inside: its environment, its topics, its marker, its row names.

Everything else looks at the service from outside: processes, topics, ``tidewatch figures``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stream.demo.processes import free_port
from stream.settings import WorkerSettings
from tests.chaos.load import HORIZON_S
from tests.chaos.oracle import Expected, Series

MARKER = b"tidewatch.offsets"
STEPS = ("frozen", "begun", "sent", "acknowledged", "committed", "stored", "told")
"""The steps of one partition's checkpoint, in order; see ``TIDEWATCH_FAULT``."""
SESSION_S = 10.0
"""The worker's session timeout: a silent worker's partitions move after this long."""
SERIES_COUNTS = {
    "predictions": ("predictions",),
    "outcomes": ("matched",),
    "late": ("late",),
    "duplicates": ("duplicate_prediction", "duplicate_outcome"),
    "corrected": ("corrected",),
    "unmatched": ("unmatched_prediction",),
    "loss_total": ("loss_total",),
}
"""A row's count → the oracle's counts that it is the sum of. A row that lacks one is wrong."""
MODEL_REASONS = (
    "matched",
    "late",
    "corrected",
    "duplicate_prediction",
    "duplicate_outcome",
    "unmatched_prediction",
    "unmatched_outcome",
)
"""The counts of a model that don't depend on arrival: ``waiting`` does."""


def environment(
    brokers: str, prefix: str, partitions: int, replication: int = 1, **worker: object
) -> dict[str, str]:
    """Return the variables of a worker whose topics begin with ``prefix``."""
    settings: dict[str, object] = {
        "KAFKA_BROKERS": brokers,
        "TOPICS_PREFIX": prefix,
        "TOPICS_PARTITIONS": partitions,
        "TOPICS_REPLICATION": replication,
        "WORKER_GROUP": f"{prefix}worker",
        "WORKER_LABEL_HORIZON_S": HORIZON_S,
        "WORKER_CHECKPOINT_INTERVAL_S": 1.0,
    }
    settings |= {f"WORKER_{name.upper()}": value for name, value in worker.items()}
    return {f"TIDEWATCH_{name}": str(value) for name, value in settings.items()}


def of_disk(folder: Path) -> dict[str, str]:
    """Return the variable that names a worker's disk; empty while the service has no such setting."""
    return {"TIDEWATCH_WORKER_DATA_DIR": str(folder)} if "data_dir" in WorkerSettings.model_fields else {}


def topic(prefix: str, word: str) -> str:
    """Return the name of the topic that ``word`` stands for."""
    return f"{prefix}{word}"


def command(variables: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run one ``tidewatch`` command to its end."""
    program = [sys.executable, "-m", "stream", *words]
    return subprocess.run(
        program, env={**os.environ, **variables}, capture_output=True, text=True, timeout=180, check=False
    )


def owns(port: int) -> int:
    """Return how many partitions the worker at this port says it owns; 0 when it does not answer at once."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return len(json.loads(answer.read())["partitions"])
    except (OSError, ValueError, KeyError):
        return 0


def misrouted(port: int, producer: str) -> float:
    """Return how many misrouted records the worker at this port says that the producer sent."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return 0.0
    name = rf'^tidewatch_misrouted_total{{producer="{re.escape(producer)}"}} (\S+)'
    found = re.search(name, text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def ended_worker(variables: Mapping[str, str], within_s: float) -> tuple[int | None, str]:
    """Run a worker; return its exit code and what it said, ``None`` if it had to be killed."""
    port = {"TIDEWATCH_WORKER_PORT": str(free_port())}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "stream", "worker"],
            env={**os.environ, **variables, **of_disk(Path(folder)), **port},
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )
        try:
            code: int | None = process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        told.seek(0)
        return code, told.read()


def create_topics(variables: Mapping[str, str]) -> None:
    """Create the topics of the prefix."""
    done = command(variables, "topics", "create")
    if done.returncode:
        raise RuntimeError(f"topics create: {done.stdout}{done.stderr}")


def marker_offsets(value: bytes) -> dict[str, int]:
    """Return the input offsets of a checkpoint's marker record."""
    return {str(name): int(at) for name, at in json.loads(value)["offsets"].items()}


def figures(variables: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows of ``tidewatch figures``."""
    done = command(variables, "figures")
    if done.returncode:
        raise RuntimeError(f"figures: {done.stdout[-500:]}{done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def differences(rows: Iterable[dict[str, Any]], wanted: Expected) -> list[str]:
    """Return every count that is not the oracle's, one line each."""
    found: list[str] = []
    series, models = dict(wanted.series), dict(wanted.models)
    for row in rows:
        if row["kind"] == "model":
            counts = models.pop(row["model"], Counter())
            found += _model_differences(row, counts)
        elif row["kind"] == "series":
            key = Series(row["model"], row["version"], row["slice"])
            found += _series_differences(row, key, series.pop(key, Counter()))
    found += [f"{'/'.join(key)}: not in the figures" for key in series]
    return found + [f"{name}: not in the figures" for name in models]


def _model_differences(row: dict[str, Any], wanted: Counter[str]) -> list[str]:
    counts = row["counts"]
    return [
        f"{row['model']}: {reason} {counts.get(reason, 0)}: want {wanted[reason]}"
        for reason in MODEL_REASONS
        if counts.get(reason, 0) != wanted[reason]
    ]


def _series_differences(row: dict[str, Any], key: Series, wanted: Counter[str]) -> list[str]:
    name = "/".join(key)
    found = []
    for count, parts in SERIES_COUNTS.items():
        want = sum(wanted[part] for part in parts)
        if row.get(count) != want:
            found.append(f"{name}: {count} {row.get(count)}: want {want}")
    matched, loss = wanted["matched"], wanted["loss_total"]
    figure = None if not matched else (1 - loss / matched if row["metric"] == "accuracy" else loss / matched)
    have = row["figure"]
    if (figure is None) != (have is None) or (have is not None and abs(have - figure) > 1e-9):  # type: ignore
        found.append(f"{name}: {row['metric']} {have}: want {figure}")
    return found
