"""Core. Versions that follow each other sooner than their labels come, judged as one: their lineage.

The first labels of a version are a biased sample, so none are judged for some label delays (``Version.ripens``),
and a version that ends before is never judged. What comes at one time of all that serve is the usual mixture of
fast and slow labels, whichever version they are of. So while the newest version is too young, the labels of all
are one more version, which has no name: it is held against what those before it knew, and its findings have the
name of the version whose label proved them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from math import inf
from typing import Final

from msgspec.structs import replace

from stream.ending import IDLES
from stream.events import ALL, Finding, Stage, Task, finding_id
from stream.inheritance import catch_up, new_version
from stream.joined import Served
from stream.reference import Reference
from stream.series import task_of
from stream.version import Judgement, Stages, Version, served_until, settled_s, stage_of

TOGETHER: Final = "judged together with the versions before it, since it is too young to be judged alone"
SHADOW: Final[tuple[Stage, ...]] = ("shadow",)
YOUNG: Final = 2
"""Versions in a row that were too young, when another one begins, for their lineage to be judged."""


def lineage_of(
    served: Served, versions: dict[str, Version], stages: Stages, judgement: Judgement, label_horizon_s: float
) -> Version | None:
    """Return what judges while the version is young whose first prediction this is; ``versions`` came before.

    Where one of these was judged until now the lineage is, too: no label is missing in the mixture. ``None`` while
    there is too little to go on from. A pipeline may retire a version before the next one predicts.
    """
    task = task_of(served)
    before = [*_but(SHADOW, versions.items(), stages, task)]
    if stage_of(served.version, stages) in IDLES or not before:
        return None
    judged = (one for one in before if one.is_mature and served.at - served_until(one) <= one.patience_s)
    elder = next(judged, None)
    if elder is None and (len(before) < YOUNG or any(one.is_mature for one in before[-YOUNG:])):
        return None
    made = new_version(served, versions, judgement, label_horizon_s, -inf)
    made.began_at, made.reference = served.at, Reference()  # inputs are each version's own
    if elder is not None:
        made.is_mature, made.patience_s, made.arl = True, elder.patience_s, elder.arl
        catch_up(made, versions, judgement)
    return made


def is_over(lineage: Version, versions: Mapping[str, Version], stages: Stages, at: float) -> bool:
    """Return whether the newest version is judged alone, or serves nobody by ``at``, and nothing told is open."""
    newest = next(_but(IDLES, reversed([*versions.items()]), stages, lineage.task), None)
    if newest is not None and not newest.is_mature:
        labels = lineage.series[ALL].outcomes if ALL in lineage.series else 0
        if not labels or at - served_until(newest) <= settled_s(*lineage.delays(labels)):
            return False
    return not lineage.is_harmed()


def may_tell(version: str, is_fair: bool, versions: Mapping[str, Version], stages: Stages) -> bool:
    """Return whether a label of this version may tell a harm of the lineage: the version is not judged alone.

    Labels of a retired one may as long as a younger one serves: else it was taken off for that, and serves nobody.
    """
    if stage_of(version, stages) != "retired":
        return not is_fair
    younger = [*versions][[*versions].index(version) + 1 :]
    return any(stage_of(one, stages) not in IDLES for one in younger)


def told_until(lineage: Version, versions: Mapping[str, Version], stages: Stages) -> float:
    """Return the event time until which what is wrong is, or was, told by a version of its own; -inf for none."""
    ends = [-inf]
    for version in _but(SHADOW, versions.items(), stages, lineage.task):
        if version.is_harmed():
            ends.append(served_until(version))
        ends += (one.closed_at for one in version.ended)
        ends += (one.rested.since for one in version.series.values() if one.rested is not None)
    return max(ends)


def rest(lineage: Version, versions: Mapping[str, Version]) -> None:
    """Let the versions know what harm is over that the lineage told; no correction opens it again."""
    for name, one in lineage.series.items():
        rested, one.rested = one.rested, None
        if rested is None:
            continue
        for version in versions.values():
            for where, series in version.series.items():
                if name in (ALL, where):
                    series.rest_until(rested.since)


def of_lineage(found: Finding) -> Finding:
    """Return a version's finding as the lineage tells it, by an id that is none of the version's own."""
    what = found.metric if found.label is None else f"{found.metric} {found.label}"
    where = found.model, found.version, found.slice
    made = finding_id(*where, f"{what} of a lineage", found.episode)
    return replace(found, id=made, causes=(TOGETHER, *found.causes))


def told_of(lineage: Version | None, version: str) -> frozenset[str]:
    """Return the slices in which a harm is told of this version by the lineage."""
    if lineage is None:
        return frozenset()
    found = ((where, one.finding) for where, one in lineage.series.items())
    return frozenset(where for where, one in found if one is not None and one.version == version)


def _but(
    without: Container[Stage], versions: Iterable[tuple[str, Version]], stages: Stages, task: Task
) -> Iterator[Version]:
    """Yield the versions of a task that are in other stages than these, in their order."""
    return (one for name, one in versions if one.task == task and stage_of(name, stages) not in without)
