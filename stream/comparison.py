"""Core. Which version, class or mix of slices a harm is of: what a roll-back would mend, and what it would not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice
from math import sqrt

from stream.digits import in_digits
from stream.events import ALL, Finding
from stream.explanation import FEWEST, NOISE, SHARE, SMALL, SUSPECT_S, deviation, is_in
from stream.instant import in_words
from stream.reference import LETTERS
from stream.rows import OUTCOME
from stream.scan import KNOWN, Harm, harm
from stream.series import Series
from stream.version import Version

LOSSES = 30
"""Losses since the onset that say anything of another version."""
SIBLINGS = 2
"""Other versions that are told of at most, the newest."""
HALF = 0.5
"""Of the harm's rise, what tells a version that got worse as well from one that did not."""
SURE = 2.0
"""Standard errors."""
BLIND = 0.9
"""Mean loss of a class that the model hardly ever says."""


def versions_beside(versions: Mapping[str, Version], name: str, found: Harm) -> Iterator[str]:
    """Yield in words whether the model's other versions got worse in the harmed slice at that time.

    ``name`` is the harmed version's. Of a version that had too few labels since only an older finding is told.
    """
    rise = _rise(found)
    task = versions[name].task
    others = (
        (other, one.series.get(found.slice))
        for other, one in reversed([*versions.items()])
        if other != name and one.task == task
    )
    said = (
        (series and _beside(other, series, found, rise)) or _told_before(other, versions[other], found)
        for other, series in others
    )
    yield from islice((one for one in said if one is not None), SIBLINGS)


def _told_before(name: str, version: Version, found: Harm) -> str | None:
    """Return in words that another version has, or had of late, an older finding of this slice, or of all."""
    told = [version.series[one].finding for one in (found.slice, ALL) if one in version.series]
    for finding in (*told, *version.ended):
        if finding is None or finding.slice not in (found.slice, ALL) or finding.onset_at >= found.onset_at:
            continue
        since = in_words(finding.onset_at)
        if finding.closed_at is None:
            return f"version {name} has been worse since {since}, and its finding is open"
        if finding.closed_at >= found.onset_at - SUSPECT_S:
            return f"version {name} had been worse since {since} when it was taken off"
    return None


def is_of_both(finding: Finding, ours: Version, others: Version) -> bool | None:
    """Return whether another version got worse in the slice of an open finding of errors as well.

    ``None`` while more of its labels are needed to tell; ``False`` also where it gets few beside ours.
    """
    mine, series = ours.series.get(finding.slice), others.series.get(finding.slice)
    if mine is None or series is None or not finding.metric == mine.metric == series.metric:
        return False
    found = harm(finding.slice, mine, finding.onset_at)
    theirs = harm(finding.slice, series, finding.onset_at)
    if _is_known(theirs, _rise(found)):
        return _has_risen(series, theirs, _rise(found))
    is_soon_known = HALF * found.after.losses < theirs.after.losses < LOSSES
    return None if is_soon_known else False


def _rise(found: Harm) -> float:
    return found.after.mean - found.before.mean


def _is_known(theirs: Harm, rise: float) -> bool:
    return theirs.after.losses >= LOSSES and theirs.before.losses > 0 and rise > 0.0


def _has_risen(series: Series, theirs: Harm, rise: float) -> bool | None:
    """Return whether a series surely rose by half as much as another one, or surely by less; ``None``: neither."""
    risen, noise = _rise(theirs), SURE * _error(series, theirs)
    if risen - noise > 0.0 and risen > HALF * rise:
        return True
    return False if risen + noise < HALF * rise else None


def _beside(name: str, series: Series, found: Harm, rise: float) -> str | None:
    theirs = harm(found.slice, series, found.onset_at)
    has_risen = _has_risen(series, theirs, rise) if _is_known(theirs, rise) else None
    if has_risen is None:
        return None
    was, now = series.shown(theirs.before.mean), series.shown(theirs.after.mean)
    figures = f"{series.metric} {in_digits(was)} before, {in_digits(now)} since"
    if not has_risen:
        return f"version {name} did not get worse: {figures}"
    own = rise * found.after.losses
    share = own / (own + _rise(theirs) * theirs.after.losses)
    return f"version {name} got worse as well: {figures}; {1.0 - share:.0%} of the excess loss of both"


def _error(series: Series, theirs: Harm) -> float:
    """Return the standard error of a rise: of shares, or of errors as spread as exponential ones are."""
    total = 0.0
    for span in (theirs.before, theirs.after):
        mean = span.mean
        variance = mean * (1.0 - mean) if series.task == "classification" else mean * mean
        total += max(variance, 0.0) / span.losses
    return sqrt(total * series.guard.inflation)


def mix_behind(version: Version, found: Harm) -> str | None:
    """Return in words which slice's other mix of values explains a harm of all, each value losing what it did.

    Direct standardisation: the mean loss to be expected is that of the values as they were, weighed by how often
    they came since. It must explain half of the rise at least, and all of it but for chance.
    """
    if found.slice != ALL:
        return None
    whole, rise = version.series[ALL], found.after.mean - found.before.mean
    by_name: defaultdict[str, list[tuple[int, float, str]]] = defaultdict(list)
    for where, one in version.series.items():
        part = harm(where, one, found.onset_at)
        if where != ALL and part.after.losses and part.before.losses >= KNOWN:
            by_name[where.partition("=")[0]].append((part.after.losses, part.before.mean, where))
    for name, values in sorted(by_name.items()):
        count = sum(losses for losses, _, _ in values)
        mean = sum(losses * loss for losses, loss, _ in values) / count
        expected = found.before._replace(losses=count, total=count * mean)
        noise = SURE * _error(whole, found._replace(before=expected))
        is_known = count >= SHARE * found.after.losses
        if is_known and mean - found.before.mean >= HALF * rise > 0.0 and found.after.mean <= mean + noise:
            most, _, where = max(values)
            was = f"{whole.metric} {in_digits(whole.shown(mean))} is to be expected"
            return f"the mix of {name} explains it: {was}; {where} is {most / count:.0%} of what came since"
    return None


def outcomes_behind(version: Version, whole: Series, found: Harm) -> str | None:
    """Return in words that another mix of what happens explains a harm of all, each class losing what it did.

    As ``mix_behind``, with the rows since the onset for the mix, which must surely be another one. ``whole`` is
    the series that is harmed. Where a class was hardly ever seen each error is one of it, which explains nothing.
    """
    before, rise, usual = found.before.mean, found.after.mean - found.before.mean, _usual_by_class(version)
    rows = version.rows.since(found.onset_at)
    counts = Counter(row.slices[-1].removeprefix(OUTCOME) for row in rows)
    count = sum(counts[name] for name in usual)
    if found.slice != ALL or count < max(KNOWN, SHARE * len(rows)):
        return None
    mean = sum(counts[name] * loss for name, loss in usual.items()) / count
    spread = sum(counts[name] * (loss - mean) ** 2 for name, loss in usual.items()) / count
    expected = found._replace(before=found.before._replace(losses=count, total=count * mean))
    noise = SURE * sqrt(spread / count)
    if not mean - before >= max(HALF * rise, noise) > 0.0 or not rise > 0.0:
        return None
    if found.after.mean > mean + noise + SURE * _error(whole, expected):
        return None
    most = max(usual, key=lambda name: (counts[name] * (usual[name] - before), name))
    if usual[most] > BLIND:
        return None
    share, was = counts[most] / count, f"{whole.metric} {in_digits(whole.shown(mean))} is to be expected"
    return f"the mix of outcomes explains it: {was}; class {most} is {share:.0%} of those since"


def _usual_by_class(version: Version) -> dict[str, float]:
    """Return the mean loss of each class (of what happened) that has a reference."""
    known = version.aspects.recalls.items()
    return {name[:LETTERS]: one.before().mean for name, one in known if one.before().losses}


def class_within(version: Version, found: Harm) -> str | None:
    """Return in words the class that carries the harm: of what happened, if the rest shows only noise.

    Each class is held against its own loss before, as its recall's reference knows it, one without against that of
    all: where a model says the same nearly always, all that is wrong is of the other class, and no harm of it.
    """
    usual = _usual_by_class(version)
    rows = [row for row in version.rows.since(found.onset_at) if is_in(row, found.slice, version.series)]
    excess: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        name = row.slices[-1].removeprefix(OUTCOME)
        excess[name].append(row.loss - usual.get(name, found.before.mean))
    total, noise = sum(map(sum, excess.values())), NOISE * deviation(rows)
    if total < HALF * sum(row.loss - found.before.mean for row in rows):
        return None  # the classes lose what they did: what is left is no more than chance
    for name, ours in sorted(excess.items()):
        others = len(rows) - len(ours)
        is_fit = name in usual and min(len(ours), others) >= FEWEST and len(ours) <= SMALL * len(rows)
        if is_fit and sum(ours) >= SHARE * total > 0.0 and total - sum(ours) <= noise * sqrt(others):
            share, of = min(sum(ours) / total, 1.0), len(ours) / len(rows)
            return f"class {name} carries {share:.0%} of the excess loss, and is {of:.0%} of the outcomes"
    return None
