"""Shell. Real streams (``../shared/data``, whose README says what happens in each): which pages came, and when."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.detection.life import Life, pages

DATA = Path(__file__).parents[2].parent / "shared" / "data"
CHANGED, WITHIN = 25_000, 4_000
"""Row of the car loans' analysis part at which the publisher says they got worse; labels until the page."""
KNOWN_SEASONS = range(1970, 1980)
SERVED, WORSE = "2017-07-01", "2017-10-01"
"""Power prices: the first half of 2017 is the reference; before October there is nothing to page."""
KICK_OFF_S = 14_400.0


def rows(*path: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a zipped table."""
    with gzip.open(DATA.joinpath(*path), "rt") as file:
        yield from csv.DictReader(file)


def at_of(text: str) -> float:
    """Return the epoch seconds of a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def car_loan() -> dict[str, Any]:
    """Return the pages by the row of the analysis part that proved them."""
    target = {row["id"]: row["repaid"] for row in rows("car-loan", "analysis_target.csv.gz")}
    reference, analysis = [*rows("car-loan", "reference.csv.gz")], [*rows("car-loan", "analysis.csv.gz")]
    repaid = [float(row["repaid"]) == 1.0 for row in reference]
    repaid += [float(target[row["id"]]) == 1.0 for row in analysis]
    said = [float(row["y_pred"]) == 1.0 for row in (*reference, *analysis)]
    scores = [float(row["y_pred_proba"]) for row in (*reference, *analysis)]
    at = [at_of(row["timestamp"]) for row in (*reference, *analysis)]
    found = pages(Life("classification", at, said, repaid, len(reference), 1.0, scores))
    proved = [sum(row < one.detected_at for row in at[len(reference) :]) for one in found]
    ok = len(proved) == 1 and CHANGED < proved[0] <= CHANGED + WITHIN
    return {"page_rows": proved, "as_known": ok}


def games() -> Iterator[tuple[int, float, float, bool]]:
    """Yield season, time, score of the first team and whether it won; games that ended in a tie are left out."""
    for row in rows("nfl-elo", "nfl_elo_1920_2020.csv.gz"):
        if row["elo_prob1"] and row["result1"] and float(row["result1"]) != 0.5:
            yield int(row["season"]), at_of(row["date"]), float(row["elo_prob1"]), float(row["result1"]) > 0.5


def nfl_elo() -> dict[str, Any]:
    """Return the pages by their day."""
    recent = [game for game in games() if game[0] >= KNOWN_SEASONS.start]
    known = sum(season in KNOWN_SEASONS for season, *_ in recent)
    _, at, scores, won = zip(*recent, strict=True)
    said = [score >= 0.5 for score in scores]
    life = Life("classification", at, said, won, known, KICK_OFF_S, scores)
    days = [_day(one.detected_at) for one in pages(life)]
    return {"page_days": days, "as_known": not days}


def power_price() -> dict[str, Any]:
    """Return the pages of each of the ten models by their day."""
    hours = [row for row in rows("power-price", "nord_pool.csv.gz") if row[""] >= "2017"]
    known = sum(row[""] < SERVED for row in hours)
    at = [at_of(row[""]) for row in hours]
    happened = [float(row["Real price"]) for row in hours]
    days: dict[str, list[str]] = {}
    for model in hours[0].keys() - {"", "Real price"}:
        said = [float(row[model]) for row in hours]
        days[model] = [_day(one.detected_at) for one in pages(Life("regression", at, said, happened, known))]
    ok = all(len(found) == 1 and found[0] >= WORSE for found in days.values())
    return {"page_days": dict(sorted(days.items())), "as_known": ok}


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


STREAMS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "car-loan": car_loan,
    "nfl-elo": nfl_elo,
    "power-price": power_price,
}


def streams() -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield each stream's name and what was found in it; ``None`` where its data is not on this machine."""
    for name, find in STREAMS.items():
        yield name, find() if (DATA / name).is_dir() else None
