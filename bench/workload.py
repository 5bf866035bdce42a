"""Core. Workload W: predictions and their outcomes as encoded records, in the order in which they reach Kafka.

All randomness comes from the generator passed in. Everything is drawn in columns; a record is one bytes format.
Half of the models are regressions, a quarter binary and a quarter three-class classifications with scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

COUNTRIES = (b"us", b"br", b"in", b"de")
PLATFORMS = (b"ios", b"android")
TIERS = (b"standard", b"premium", b"airport")
CLASSES = (b'"accept"', b'"review"', b'"reject"')
VERSIONS = (b"v7", b"v8")
CANARY_SHARE = 0.3
SKEW = 0.3
"""Traffic of the model of rank r is proportional to ``r ** -SKEW``."""
ERROR_RATE = 0.08
UNLABELLED = 0.03
REPEATED = 0.005
CORRECTED = 0.005

Columns = dict[str, Any]


class Record(NamedTuple):
    """One record: ``arrived_ms`` is its Kafka timestamp, ``model`` indexes ``model_names``."""

    arrived_ms: int
    model: int
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What the traffic is like. ``rate``: predictions a second of event time; the delay is log-normal."""

    models: int = 200
    rate: float = 1_000.0
    median_delay_s: float = 8.0
    delay_sigma: float = 1.0
    fixed_slices: bool = False
    """Every version has exactly one value per slice dimension: series = versions x 4."""


def model_names(models: int) -> list[bytes]:
    """Return the names, which are the Kafka keys."""
    return [b"model-%05d.shop" % number for number in range(models)]


def draw(rng: np.random.Generator, mix: Mix, count: int, first: int, start_at: float) -> Columns:
    """Return the columns of ``count`` predictions from ``start_at`` on, numbered from ``first``."""
    weights = np.arange(1, mix.models + 1) ** -SKEW
    at = start_at + np.sort(rng.uniform(0, count / mix.rate, count))
    model = rng.choice(mix.models, count, p=weights / weights.sum())
    version = (rng.random(count) < CANARY_SHARE).astype(int)
    home = model * 2 + version if mix.fixed_slices else None
    straggles = (rng.random(count) < 0.01) * rng.exponential(2.0, count)
    return {
        "first": first,
        "at": at,
        "arrived": at + rng.exponential(0.05, count) + straggles,
        "model": model,
        "version": version,
        "country": rng.integers(0, 4, count) if home is None else home % 4,
        "platform": rng.integers(0, 2, count) if home is None else home % 2,
        "tier": rng.choice(3, count, p=[0.6, 0.25, 0.15]) if home is None else home % 3,
        "said": rng.integers(0, 3, count),
        "score": rng.uniform(0.5, 1.0, count),
        "value": rng.gamma(4.0, 5.0, count),
        "error": rng.normal(0.0, 2.0, count),
        "wrong": rng.random(count) < ERROR_RATE,
        "amount": rng.gamma(2.0, 30.0, count),
        "missing": rng.random(count) < 0.1,
        "device": rng.integers(0, 5, count),
        "delay": rng.lognormal(np.log(mix.median_delay_s), mix.delay_sigma, count),
        "luck": rng.random(count),
    }


def prediction_ids(numbers: Any) -> list[bytes]:
    """Return UUID-shaped ids that depend on nothing but the numbers (splitmix64)."""
    with np.errstate(over="ignore"):
        z = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    low, high = (z & np.uint64(0xFFFFFFFF)).tolist(), (z >> np.uint64(32)).tolist()
    tail = numbers.tolist()
    return [
        b"%08x-%04x-4%03x-a%03x-%012x" % (a, b >> 16, (b >> 4) & 0xFFF, b & 0xFFF, n)
        for a, b, n in zip(high, low, tail, strict=True)
    ]


PREDICTION = (
    b'{"type":"prediction","prediction_id":"%b","model":"model-%05d.shop","version":"%b","at":%.3f,'
    b'"prediction":%b,"slices":{"country":"%b","platform":"%b","tier":"%b"},'
    b'"features":{"amount":%.2f,"hour":%d,"distance_km":%.3f,"device":"device-%d","age_days":%b}}'
)
OUTCOME = b'{"type":"outcome","prediction_id":"%b","model":"model-%05d.shop","at":%.3f,"outcome":%b}'


def _said(model: int, said: int, score: float, value: float) -> bytes:
    """What a prediction says, with its scores."""
    if model % 2 == 0:
        return b"%.3f" % value
    if model % 4 == 1:
        label = b"true" if said else b"false"
        return b'%b,"scores":%.4f' % (label, score if said else 1 - score)
    rest = (1 - score) / 2
    accept, review, reject = (score if number == said else rest for number in range(3))
    scores = b'"scores":{"accept":%.4f,"review":%.4f,"reject":%.4f}' % (accept, review, reject)
    return b"%b,%b" % (CLASSES[said], scores)


def _happened(model: int, said: int, value: float, error: float, wrong: bool) -> bytes:
    if model % 2 == 0:
        return b"%.3f" % (value + error)
    if model % 4 == 1:
        return b"true" if bool(said) != wrong else b"false"
    return CLASSES[(said + wrong) % 3]


def predictions(columns: Columns) -> Iterator[Record]:
    """Yield the prediction records in order of arrival: partly out of order in event time."""
    order = np.argsort(columns["arrived"], kind="stable")
    picked: Columns = {name: column[order].tolist() for name, column in columns.items() if name != "first"}
    ids = prediction_ids(columns["first"] + order)
    for i, at in enumerate(picked["at"]):
        model, amount = picked["model"][i], picked["amount"][i]
        yield Record(
            int(picked["arrived"][i] * 1000),
            model,
            PREDICTION
            % (
                ids[i],
                model,
                VERSIONS[picked["version"][i]],
                at,
                _said(model, picked["said"][i], picked["score"][i], picked["value"][i]),
                COUNTRIES[picked["country"][i]],
                PLATFORMS[picked["platform"][i]],
                TIERS[picked["tier"][i]],
                amount,
                int(at // 3600 % 24),
                amount / 7,
                picked["device"][i],
                b"null" if picked["missing"][i] else b"%d" % (amount * 3),
            ),
        )


def outcomes(columns: Columns, until: float) -> Iterator[Record]:
    """Yield the outcome records that arrive before ``until``, in order of arrival.

    Some predictions never get one, some the same twice, and some a second one that corrects the first.
    """
    number, at, wrong = _labels(columns)
    arrived = at + 0.05
    order = np.argsort(arrived, kind="stable")
    order = order[arrived[order] < until]
    number, at, arrived, wrong = (column[order] for column in (number, at, arrived, wrong))
    ids = prediction_ids(columns["first"] + number)
    of: Columns = {name: columns[name][number].tolist() for name in ("model", "said", "value", "error")}
    happened = map(_happened, of["model"], of["said"], of["value"], of["error"], wrong.tolist())
    rows = zip(arrived.tolist(), ids, of["model"], at.tolist(), happened, strict=True)
    for came, name, model, known, label in rows:
        yield Record(int(came * 1000), model, OUTCOME % (name, model, known, label))


SILENT = (
    b'{"type":"prediction","prediction_id":"%b","model":"model-%05d.shop","version":"v7","at":%.3f,'
    b'"prediction":%b,"slices":{"country":"us","platform":"ios","tier":"standard"}}'
)


def silent(rng: np.random.Generator, mix: Mix, count: int, first: int, start_at: float) -> Iterator[Record]:
    """Yield predictions whose outcomes are far away: all of W's fields but features, at the mix's rate.

    Number n belongs to model ``n % models``, so that ``answers`` can be made without remembering anything.
    """
    instants = (start_at + np.sort(rng.uniform(0, count / mix.rate, count))).tolist()
    for n, (name, at) in enumerate(
        zip(prediction_ids(first + np.arange(count)), instants, strict=True), first
    ):
        model = n % mix.models
        yield Record(int(at * 1000), model, SILENT % (name, model, at, _said(model, 1, 0.9, 20.0)))


def answers(mix: Mix, numbers: Any, at: float) -> Iterator[Record]:
    """Yield right outcomes for the ``silent`` predictions with these numbers, a millisecond apart."""
    for n, name in zip(numbers.tolist(), prediction_ids(numbers), strict=True):
        model = n % mix.models
        happened = _happened(model, 1, 20.0, 0.0, False)
        at += 0.001
        yield Record(int(at * 1000), model, OUTCOME % (name, model, at, happened))


def _labels(columns: Columns) -> tuple[Any, Any, Any]:
    """Return prediction number, instant and wrongness of every outcome, in no order."""
    luck, wrong = columns["luck"], columns["wrong"]
    at = columns["at"] + columns["delay"]
    known = np.flatnonzero(luck >= UNLABELLED)
    repeated = np.flatnonzero(luck > 1 - REPEATED)
    corrected = np.flatnonzero((luck <= 1 - REPEATED) & (luck > 1 - REPEATED - CORRECTED))
    numbers = np.concatenate([known, repeated, corrected])
    instants = np.concatenate([at[known], at[repeated], at[corrected] + 1.0])
    return numbers, instants, np.concatenate([wrong[known], wrong[repeated], ~wrong[corrected]])
