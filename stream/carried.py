"""Core. Whose ticket the drift of an input is, while versions of its model come and go.

All versions are fed the same, so a drift is told once of a model: what one version's open ticket tells opens no
ticket of another one. A ticket outlives its version while others show the drift as well, or nobody serves: the
next version with a whole window beside which the ticket's own had no prediction carries it on, or closes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from math import inf
from typing import NamedTuple

from stream.drift import DAY_S, Drift
from stream.judge.budget import WEEK_S
from stream.reference import Feature
from stream.said import SAID
from stream.version import Version, served_until

GROWN = 2.0
"""Times as far as the drift that is told, for another version's to be one of its own."""
WAITS_S = 2 * DAY_S
"""Of event time, for a ticket whose version ended while no other one serves: then it is over."""


class Peer(NamedTuple):
    """The drift of the same input of another version, and when that had its newest prediction."""

    drift: Drift
    served_until: float


def peers_of(version: Version, name: str, versions: Iterable[Version]) -> Iterator[Peer]:
    """Yield what other versions have of an input in the same bins, if they had any; nothing of what they say."""
    feature = version.reference.features[name]
    if name in SAID:
        return
    for one in versions:
        other = one.reference.features.get(name)
        if one is not version and other is not None and other.is_met and _is_alike(feature, other):
            yield Peer(other.drift, served_until(one))


def _is_alike(one: Feature, other: Feature) -> bool:
    return bool(one.cells and other.cells) and (one.numbers, one.words) == (other.numbers, other.words)


def carry_on(version: Version, name: str, versions: Iterable[Version]) -> float:
    """Take over the input's ticket of a version without a prediction in the whole window that is judged now.

    Return up to which index beyond chance the tickets of others tell a drift; 0 without any. One that is a window
    old tells any: the drift may have begun within that window.
    """
    drift, peers = version.reference.features[name].drift, [*peers_of(version, name, versions)]
    for one in peers:
        if drift.finding is None and one.drift.finding is not None and one.served_until < drift.began_at:
            drift.finding, one.drift.finding, one.drift.evidence = one.drift.finding, None, 0.0
            drift.run, drift.furthest = max(drift.run, one.drift.run), max(drift.furthest, one.drift.furthest)
    told = [one.drift for one in peers if one.drift.finding is not None]
    return max((GROWN * one.furthest if one.run > 1 else inf for one in told), default=0.0)


def known_to(trained_until: float, version: Version, versions: Iterable[Version]) -> set[str]:
    """Return a version's inputs that drifted a reference's length before the end of the next one's training."""
    return {
        name
        for name, one in version.reference.features.items()
        for drift in (one.drift, *(peer.drift for peer in peers_of(version, name, versions)))
        if drift.finding is not None and trained_until - drift.finding.onset_at >= WEEK_S
    }


def outliving(version: Version, others: Collection[Version], at: float) -> set[str]:
    """Return the inputs whose open ticket outlives its version; ``others`` are those that serve on."""
    told = [name for name, one in version.reference.features.items() if one.drift.finding is not None]
    if others:
        return {name for name in told if any(one.drift.run for one in peers_of(version, name, others))}
    return {name for name in told if name not in SAID and at < served_until(version) + WAITS_S}
