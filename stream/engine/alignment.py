"""Core. Which inputs to leave alone for a moment, so that the topics of a partition are read in step.

A backlog that is read topic by topic meets all outcomes before their predictions: what waits piles up, and windows
and detectors see the past in another order than it had. So an input that is ahead in Kafka's time waits for its
siblings while they have records, but never long: a sibling may be slow for reasons of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

PATIENCE_S = 15.0
"""How long a sibling is waited for that brings nothing. A busy worker asks some inputs at a time,
and a round of all takes it seconds: with less patience than that nothing is read in step just when it matters."""

Name = TypeVar("Name")


class Place(NamedTuple):
    """How far an input was read: the newest Kafka timestamp, when a fetch last brought any, if there is more."""

    read_until: float
    brought_at: float
    has_more: bool


def ahead(places: Mapping[Name, Place], siblings: Mapping[Name, Iterable[Name]], now: float) -> set[Name]:
    """Return the inputs that are ahead of a sibling which has more; never all inputs of a partition."""
    return {
        name
        for name, place in places.items()
        if any(_is_behind(places[other], place, now) for other in siblings[name] if other in places)
    }


def _is_behind(sibling: Place, place: Place, now: float) -> bool:
    is_coming = sibling.has_more and now - sibling.brought_at < PATIENCE_S
    return is_coming and sibling.read_until < place.read_until
