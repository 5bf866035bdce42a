"""Core. Which rollouts lie so shortly before an onset that they may have caused it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stream.events import RolledOut, Stage

SUSPECT_S = 3_600.0
"""A rollout this long before the onset, or less, is named as a possible cause."""


def suspects(rollouts: Mapping[str, tuple[float, Stage]], onset_at: float) -> tuple[RolledOut, ...]:
    """Return the latest rollouts, by version, that may have caused what began at ``onset_at``."""
    return tuple(
        RolledOut(version=version, stage=stage, at=at)
        for version, (at, stage) in sorted(rollouts.items())
        if 0 <= onset_at - at <= SUSPECT_S
    )


def in_words(rollouts: Sequence[RolledOut], onset_at: float) -> Iterator[str]:
    """Yield each rollout as a cause."""
    for one in rollouts:
        yield f"rollout of {one.version} to {one.stage}, {onset_at - one.at:.0f} s before the onset"
