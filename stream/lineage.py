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
from stream.version import AWAY_S, Judgement, Stages, Version, served_until, settled_s, stage_of

TOGETHER: Final = (
    "judged together with other versions, since it is too young, or back for too short, to be judged alone"
)
SHADOW: Final[tuple[Stage, ...]] = ("shadow",)
YOUNG: Final = 2
"""Versions in a row that were too young, when another one begins, for their lineage to be judged."""
DENT, SPACINGS = 0.25, 20.0
"""Mean label delays, and mean times between two predictions, of an absence that labels show at least."""


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


def joins(version: Version, at: float) -> bool:
    """Return whether a known version may join a lineage with a prediction ``at``; asked of each one."""
    if version.is_mature:
        return at - served_until(version) > AWAY_S
    return version.serves_since > version.back_at


def has_come_back(version: Version, at: float, versions: Mapping[str, Version], stages: Stages) -> bool:
    """Return whether a version that is judged predicts again ``at`` after another one took its place for a while.

    Labels of the time between are missing in what it gets, so that its first ones are quick ones only. Versions
    that take turns as ever are no such case: the other one must have begun to serve, or this one was retired.
    """
    since, whole = served_until(version), version.series[ALL]
    mean_s = version.delays(max(whole.outcomes, 1))[0]
    spacing_s = (since - version.began_at) / max(whole.predictions, 1)
    if at - since <= max(AWAY_S, DENT * mean_s, SPACINGS * spacing_s):
        return False
    others = [*_but(IDLES, versions.items(), stages, version.task)]
    is_new = any(served_until(one) > since and not one.began_at < since for one in others)
    return is_new or version.serves_since > since or any(one.serves_since > since for one in others)


def judged_by(
    lineage: Version | None,
    served: Served,
    versions: dict[str, Version],
    stages: Stages,
    judgement: Judgement,
    label_horizon_s: float,
) -> Version | None:
    """Return the lineage from a prediction on of a version that is new, came back, or was a shadow at first.

    Such a version is one of the lineage, which begins with it if there is none.
    """
    version = versions.get(served.version)
    if version is not None and version.is_mature:
        is_idle = stage_of(served.version, stages) in IDLES
        if is_idle or not has_come_back(version, served.at, versions, stages):
            return lineage
        version.back_at = served.at
    if lineage is None:
        others = {name: one for name, one in versions.items() if one is not version}
        lineage = lineage_of(served, others, stages, judgement, label_horizon_s)
    if lineage is not None and version is not None:
        version.back_at = max(version.back_at, version.serves_since)
    return lineage


def is_member(
    lineage: Version,
    served: Served,
    versions: Mapping[str, Version],
    stages: Stages,
    without: Container[Stage],
) -> bool:
    """Return whether a prediction is one of the lineage's; none that a young version made as a shadow.

    What a version made before it was away is: others were beside it in the mixture.
    """
    version = versions[served.version]
    if version.task != lineage.task or stage_of(served.version, stages) in without:
        return False
    since = _serves_since(version)
    was_away = version.is_mature and since > lineage.began_at
    return was_away or served.at >= since


def is_back(version: Version, lineage: Version) -> bool:
    """Return whether a version began to serve again, or at last, since the lineage began: it is judged as one."""
    return _serves_since(version) >= lineage.began_at


def _serves_since(version: Version) -> float:
    """Return since when a version serves without another one in its place; -inf for always."""
    return max(version.serves_since, version.back_at)


def is_over(lineage: Version, versions: Mapping[str, Version], stages: Stages, at: float) -> bool:
    """Return whether each version is judged alone by ``at``, or serves nobody, and nothing told is open.

    Of those that are too young the newest counts, and those that came back.
    """
    if lineage.is_harmed():
        return False
    serving = [*_but(IDLES, versions.items(), stages, lineage.task)]
    since = [
        _serves_since(one) if one.is_mature else served_until(one)
        for one in serving
        if is_back(one, lineage) or (one is serving[-1] and not one.is_mature)
    ]
    if not since:
        return True
    labels = lineage.series[ALL].outcomes if ALL in lineage.series else 0
    return labels > 0 and at - max(since) > max(settled_s(*lineage.delays(labels)), lineage.settles_s)


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
