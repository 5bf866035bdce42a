"""Core. What a new version is held against: a file, or what is promised, or what those before it have learned."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice, takewhile

from stream.aspect_known import known_aspects
from stream.carried import known_to
from stream.confidence import Confidence
from stream.events import Task
from stream.joined import Served
from stream.judge.guard import Guard
from stream.judge.known import guards
from stream.judge.objective import promised
from stream.reference_known import known_reference
from stream.series import task_of
from stream.version import Judgement, Version


def new_version(
    served: Served,
    versions: dict[str, Version],
    judgement: Judgement,
    label_horizon_s: float,
    trained_until: float,
) -> Version:
    """Return the version of its first prediction; ``versions`` are the model's so far, the newest last.

    It learns anew how the inputs are that had drifted well before the end of its training data.
    """
    elder, model, task = next(reversed(versions.values()), None), served.model, task_of(served)
    references = judgement.references
    aspects = known_aspects(references, model, task, judgement.minimum_increase)
    if elder is None:
        known = known_reference(references, model)
    else:
        known = elder.reference.heir(known_to(trained_until, elder, versions.values()))
    made = Version(
        task,
        inherited=held_against(elder, model, task, judgement),
        reference=known,
        confidence=Confidence(label_horizon_s),
        aspects=aspects,
    )
    if elder is not None and elder.task == task:
        made.aspects, made.learned_from = aspects.over(elder.aspects.heirs()), elder.learned_from
    return made


def held_against(elder: Version | None, model: str, task: Task, judgement: Judgement) -> dict[str, Guard]:
    """Return what a new version is held against, by slice: the references of the file, or of the one before.

    What is promised of a classification goes before the latter.
    """
    references, increase = judgement.references, judgement.minimum_increase
    found = heirs(elder, task, judgement.slice_budget) | guards(references, model, task, increase)
    if task != "classification":
        return found
    known = [name for name, one in references.get(model, {}).items() if one.task == task]
    objectives = promised(judgement.objectives, model)
    return found | {name: guard for name, guard in objectives.items() if name not in known}


def heirs(elder: Version | None, task: Task, most: int) -> dict[str, Guard]:
    """Return what the version after this one is held against, by slice: its references, then what it inherited."""
    if elder is None or elder.task != task:
        return {}
    own = {name: one.guard for name, one in elder.series.items()}
    known = own | {name: guard for name, guard in elder.inherited.items() if name not in own}
    found = ((name, heir) for name, guard in known.items() if (heir := guard.heir()) is not None)
    return dict(islice(found, most))


def catch_up(version: Version, versions: Mapping[str, Version], judgement: Judgement) -> None:
    """Give a version, before it learns from its first label, what the newest one before it knows by now.

    When it began the labels of the one before may not have come yet, or not been read.
    """
    before = takewhile(lambda one: one is not version, versions.values())
    for elder in reversed([*before]):
        known = heirs(elder, version.task, judgement.slice_budget)
        if known:
            break
    else:
        return
    for name, guard in known.items():
        series = version.series.get(name)
        if series is None:
            version.inherited.setdefault(name, guard)
        elif series.guard.harm is None:
            series.guard = guard
    version.aspects = version.aspects.over(elder.aspects.heirs())
    version.learned_from = min(version.learned_from, elder.learned_from)
