"""Versions of one model that serve together, and labels of theirs, put into a monitor as the join does."""

from itertools import count
from typing import NamedTuple

from stream.events import ALL, Instant, Prediction, Rollout
from stream.joined import Joined, Reason, Served, slice_names
from stream.judge.edetector import edetector
from stream.monitor import Monitor
from stream.series import task_of
from stream.version import Judgement, Version

BEGAN_AT = 1_790_208_000.0
"""An edge of every level of the windows."""
HOUR_S, DAY_S = 3_600.0, 86_400.0
JUDGEMENT = Judgement()
IDS = count()


class Label(NamedTuple):
    """A prediction and what it lost; a number is a regression's error."""

    version: str
    at: float
    loss: bool | float
    slices: tuple = ()


def fold(monitor, labels):
    """Take labels in this order, each right after its prediction."""
    for one in labels:
        said, happened = said_and_happened(one.loss)
        slices, name = dict(one.slices), f"p{next(IDS)}"
        served = served_of(one, name, said)
        prediction = Prediction(
            prediction_id=name,
            model="m",
            version=one.version,
            at=Instant(one.at),
            prediction=said,
            slices=slices,
        )
        monitor.predicted(prediction, served, JUDGEMENT)
        monitor.take(Joined(Reason.MATCHED, "m", served, happened, one.at + 1.0), JUDGEMENT, None)
    return monitor


def summed(labels, monitor=None):
    """Put labels into the figures of a new monitor, or of one: what a fold does of it that a verdict reads."""
    monitor = monitor or Monitor("m")
    for one in labels:
        said, happened = said_and_happened(one.loss)
        served = served_of(one, "p", said)
        if one.version not in monitor.versions:
            monitor.versions[one.version] = Version(task_of(served))
        version = monitor.versions[one.version]
        version.sums.take((one.at, version.route(served, JUDGEMENT, {}), said, happened, None, 1.0))
    return monitor


def said_and_happened(loss):
    return ("x", "y" if loss else "x") if isinstance(loss, bool) else (loss, 0.0)


def served_of(label, name, said):
    return Served(name, "m", label.version, label.at, said, False, slice_names(dict(label.slices)))


def refer(monitor, inflation=1.0):
    """Give every series a reference of this inflation, as if learned long ago: no finding comes of it."""
    for version in monitor.versions.values():
        for series in version.series.values():
            series.guard.harm, series.guard.learning = edetector(0.98, 1e12, inflation), False
    return monitor


def staged(monitor, **stages):
    """Roll versions out, one after the other."""
    for number, (version, stage) in enumerate(stages.items()):
        monitor.rolled_out(Rollout(model="m", version=version, at=Instant(BEGAN_AT + number), stage=stage))
    return monitor


def steady(rates, labels, seconds, since=BEGAN_AT, slices=()):
    """Return labels of each version, evenly over the time: of every hundred the first ``rate * 100`` are wrong."""
    made = [
        Label(version, since + seconds * (number + 0.5) / labels, (number * 37) % 100 < 100 * rate, slices)
        for version, rate in rates.items()
        for number in range(labels)
    ]
    return sorted(made, key=lambda one: one.at)


def before(version="v7", seconds=400_000.0):
    """Return a label that shows since when a version serves."""
    return Label(version, BEGAN_AT - seconds, False)


def served(labels, inflation=1.0):
    return refer(summed([before(), *labels]), inflation)


def harmed():
    """A version that got worse: its finding is open."""
    monitor = fold(Monitor("m"), steady({"v8": 0.05}, 5_000, DAY_S))
    fold(monitor, steady({"v8": 0.9}, 500, HOUR_S, BEGAN_AT + DAY_S))
    assert monitor.versions["v8"].series[ALL].finding is not None
    return monitor


def in_slices(rates, labels, shares=None):
    """Labels of both versions by country, with a rate for each; ``shares`` are the candidate's parts of labels."""
    made = []
    for country, (live, candidate) in rates.items():
        slices = (("country", country),)
        share = (shares or {}).get(country, 1.0)
        made += steady({"v7": live}, labels, HOUR_S, slices=slices)
        made += steady({"v8": candidate}, round(labels * share), HOUR_S, slices=slices)
    return sorted(made, key=lambda one: one.at)
