"""Shell. The references of workload W: with them every series is judged, and every input compared, from the start.

W is minutes long, and without a file a series' own reference takes its first labels, an input's a week.
"""

from __future__ import annotations

import heapq
from pathlib import Path

import numpy as np

from bench.workload import Mix, draw, model_names, outcomes, predictions
from stream.judge.known import References
from stream.references import write_references
from stream.replay.build import History
from stream.replay.source import Line

KINDS = 4
"""Models of W whose numbers are the same modulo this are alike."""
PREDICTIONS, DAYS = 40_000, 30
FEWEST = 200
HORIZON_S = 86_400.0
SEED, START_AT = 7, 1_690_000_000.0


def references(models: int) -> References:
    """Return what ``tidewatch reference build`` makes of a history of W, each kind's for all of its models."""
    mix = Mix(models=KINDS, rate=PREDICTIONS / (DAYS * 86_400.0))
    columns = draw(np.random.default_rng(SEED), mix, PREDICTIONS, 0, START_AT)
    records = heapq.merge(
        predictions(columns), outcomes(columns, float("inf")), key=lambda one: one.arrived_ms
    )
    history = History(HORIZON_S)
    history.read(Line("w", number, record.value) for number, record in enumerate(records))
    names = [name.decode() for name in model_names(max(models, KINDS))]
    built = history.references(FEWEST)
    return {name: built[names[number % KINDS]] for number, name in enumerate(names[:models])}


def write(path: Path, models: int) -> Path:
    """Write the file of references of W with so many models; return its path."""
    path.write_bytes(write_references(references(models)))
    return path
