"""Core. How much of one model is remembered: its state is one Kafka record, so all of it has a bound.

A model's series are at most ``SERIES`` and two more for each of ``VERSIONS`` versions; its lineage has as many
more as a version may have while there is room. A series is about 6 KB at most and its cells in the windows 512
bytes; those of a whole version are 11 KB, its cohorts of scores 10 KB (47 at most), and what is judged beside
its errors 6 KB (3 aspects and 10 recalls). So with rollouts, features and open findings the record stays below
the 8 MiB that its topic takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from stream.ending import is_told
from stream.events import Rollout, Stage
from stream.version import SERIES, Stages, Version, series_of, served_until, stage_of

VERSIONS: Final = 20
"""Versions of a model that are remembered."""
ROLLOUTS: Final = 100
"""Versions of a model whose latest stage is remembered."""
FORGOTTEN: Final = "forgotten"
"""Counts outcomes whose version had to make room for others; then such versions."""
FORGOTTEN_VERSION: Final = "forgotten_version"


def make_room(versions: dict[str, Version], stages: Stages, wanted: int) -> list[Version]:
    """Forget what must go before one more version with ``wanted`` series comes; return the versions that went.

    Retired versions go as soon as their series are wanted. When there are ``VERSIONS``, the retired go first, then
    those longest without a prediction; those with an open finding last, since that ends with them.
    """
    gone = [*_surplus(versions, stages, wanted)]
    if gone:
        for version in versions.values():
            version.routes.known.clear()  # what had no room may have it now, also for who restores this state
    return gone


def _surplus(versions: dict[str, Version], stages: Stages, wanted: int) -> Iterator[Version]:
    while versions:
        has_finding, is_in_use, _, name = min(_worth(name, one, stages) for name, one in versions.items())
        is_short = series_of(versions) + wanted > SERIES
        if len(versions) < VERSIONS and (has_finding or is_in_use or not is_short):
            return
        yield versions.pop(name)


def _worth(name: str, version: Version, stages: Stages) -> tuple[bool, bool, float, str]:
    is_in_use = stage_of(name, stages) != "retired"
    return is_told(version), is_in_use, served_until(version), name


def remember(
    rollout: Rollout,
    stages: dict[str, tuple[float, Stage]],
    trained: dict[str, float],
    versions: Mapping[str, Version],
) -> None:
    """Note a stage and the end of training: of ``ROLLOUTS`` the oldest goes, of forgotten versions first."""
    stages[rollout.version] = (float(rollout.at), rollout.stage)
    if rollout.trained_until is not None:
        trained[rollout.version] = float(rollout.trained_until)
    if len(stages) > ROLLOUTS:
        oldest = min(stages, key=lambda name: (name in versions, stages[name], name))
        del stages[oldest]
        trained.pop(oldest, None)
