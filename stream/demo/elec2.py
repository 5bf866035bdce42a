"""Edge. Elec2: does the price of electricity in New South Wales go up? Half-hourly, from 1996-05-07 on.

The market's real data (Harries 1999), see ``data/README.md``. A logistic regression is trained on the first half
year and never again. Its outcome, whether the price stood above the mean of the last day, is known half an hour
later. Times are the market's own (UTC+10).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from importlib import resources
from typing import NamedTuple

from river import linear_model, preprocessing

from stream.demo.recording import Recording, Teams
from stream.events import Instant, Outcome, Prediction, Rollout

MODEL = "price.nsw"
VERSION = "1996-11"
BEGAN = datetime(1996, 5, 7, tzinfo=timezone(timedelta(hours=10)))
FROZEN = datetime(1996, 11, 7, tzinfo=BEGAN.tzinfo)
HALF_HOUR = timedelta(minutes=30)
FEATURES = ("time_of_day", "nsw_price", "nsw_demand", "vic_price", "vic_demand", "transfer")
TEAMS = Teams({"trading": ["price.*"], "grid": ["demand.*"]}, "ml-platform")


class Row(NamedTuple):
    """One half hour: the model's inputs, all scaled to 0..1, and whether the price went up."""

    at: datetime
    features: dict[str, float]
    up: bool


def rows() -> Iterator[Row]:
    """Yield the data in the order of time."""
    packed = resources.files("stream.demo").joinpath("data", "elec2.csv.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()[1:]
    for number, line in enumerate(csv.reader(lines)):
        *numbers, up = line
        features = dict(zip(FEATURES, map(float, numbers), strict=True))
        yield Row(BEGAN + number * HALF_HOUR, features, up == "1")


def record() -> Recording:
    """Train the model on what came before ``FROZEN``, then let it answer all the rest."""
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    past = [row for row in rows() if row.at < FROZEN]
    for row in past:
        model.learn_one(row.features, row.up)

    def score(row: Row) -> float:
        return float(model.predict_proba_one(row.features)[True])

    trained = [float((score(row) >= 0.5) != row.up) for row in past]
    served = [_serve(row, score(row)) for row in rows() if row.at >= FROZEN]
    frozen_at = Instant(FROZEN.timestamp())
    rollout = Rollout(model=MODEL, version=VERSION, at=frozen_at, stage="live", trained_until=frozen_at)
    summary = (
        f"elec2: {len(served):,} half hours of the New South Wales electricity market, answered by a logistic"
        f" regression that was trained until {FROZEN:%Y-%m-%d} and never again"
    )
    return Recording("elec2", summary, TEAMS, "trading", [rollout], trained, served)


def _serve(row: Row, score: float) -> tuple[Prediction, Outcome]:
    name = f"{row.at:%Y%m%dT%H%M}"
    weekend = row.at.weekday() >= 5
    one = Prediction(
        prediction_id=name,
        model=MODEL,
        version=VERSION,
        at=Instant(row.at.timestamp()),
        prediction=score >= 0.5,
        scores=round(score, 6),
        slices={"day": "weekend" if weekend else "weekday", "time": TIMES[row.at.hour // 6]},
        features=dict(row.features),
    )
    known_at = Instant((row.at + HALF_HOUR).timestamp())
    return one, Outcome(prediction_id=name, model=MODEL, at=known_at, outcome=row.up)


TIMES = ("night", "morning", "afternoon", "evening")
