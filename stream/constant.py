"""Core. A model that says the same again and again: told by how unlikely so long a run is, also while it learns.

Of ``n`` answers before a run, ``k`` fell into the bin that holds most. That the next ``r`` all do has the
Beta-binomial chance ``B(k + r + 1/2, n - k + 1/2) / B(k + 1/2, n - k + 1/2)`` (Jeffreys), which pays for a share
that few answers tell; a run can begin after each of the ``n - k`` others. A run is told when all that is below the
chance in the budget, and the run is twice as long as any before: nights and sorted batches come again.
"""

from __future__ import annotations

from math import inf, lgamma, log
from typing import Final

import msgspec

from stream.events import ALL, Finding, finding_id
from stream.instant import in_words
from stream.joined import Served
from stream.reference import REFERENCE, Feature
from stream.repeats import Repeats
from stream.rows import bin_of
from stream.said import SAID, as_input
from stream.version import Version

LONGER: Final = 2
"""Times the longest run before, for one to be told."""


def look_at_run(version: Version, served: Served, limit: float, proven_at: float | None) -> Finding | None:
    """Judge the run of the same answers; return the ticket that this opened or closed.

    ``served`` is the newest prediction, ``limit`` one over the chance that is small enough.
    """
    reference, at = version.reference, served.at
    repeats = reference.repeats
    told = repeats.finding
    if told is not None:
        repeats.finding = None
        return msgspec.structs.replace(told, state="closed", closed_at=at, proven_at=proven_at)
    name = reference.answer
    feature = reference.features.get(name)
    if feature is not None and not _is_told(feature, repeats):
        most, known = before(feature, repeats)
        if repeats.run >= LONGER * repeats.longest and rarity(most, known, repeats.run) <= -log(limit):
            repeats.episode = max(repeats.episode, version.forgotten_episode) + 1
            repeats.finding = _opened(name, most, known, repeats, served, proven_at)
    repeats.put_off(at)
    return repeats.finding


def _is_told(feature: Feature, repeats: Repeats) -> bool:
    """Return whether a ticket for a drift has been opened since the run began."""
    finding = feature.drift.finding
    return finding is not None and finding.detected_at >= repeats.since


def before(feature: Feature, repeats: Repeats) -> tuple[int, int]:
    """Return of the answers before the run how many the fullest bin holds, and how many there were."""
    if not feature.cells:
        return 0, 0
    cells = list(feature.reference)
    if not feature.drift.is_learned:  # then all answers are known, and the run is among them
        cells = [sum(each) for each in zip(cells, feature.window, feature.counts, strict=True)]
        said = repeats.said
        assert said is not None
        place = bin_of(feature, as_input(said, feature) if feature.numbers else str(said))
        cells[place] = max(cells[place] - repeats.run, 0)
    return max(cells), sum(cells)


def rarity(most: int, known: int, run: int) -> float:
    """Return the logarithm of the expected number of so long runs so far; inf with too few answers before."""
    if known < REFERENCE:
        return inf
    chance = lgamma(most + run + 0.5) - lgamma(most + 0.5) + lgamma(known + 1.0) - lgamma(known + run + 1.0)
    return log(known - most + 1.0) + chance


def _opened(
    name: str, most: int, known: int, repeats: Repeats, served: Served, proven_at: float | None
) -> Finding:
    since, what = repeats.since, SAID[name]
    return Finding(
        id=finding_id(served.model, served.version, ALL, f"constant {name}", repeats.episode),
        state="open",
        severity="ticket",
        model=served.model,
        version=served.version,
        slice=ALL,
        metric="constant_rate",
        direction="changed",
        before=most / known,
        after=1.0,
        before_count=known,
        after_count=repeats.run,
        onset_at=since,
        onset_after=since,
        onset_before=since,
        detected_at=served.at,
        proven_at=proven_at,
        events_since_onset=repeats.run,
        episode=repeats.episode,
        summary=f"{served.model} version {served.version}, {what}: {repeats.words} since {in_words(since)}.",
        feature=name,
    )
