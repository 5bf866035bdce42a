"""Core. The reference of a model's inputs: from history, for a file, and from a file."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from math import inf, isfinite

from stream.drift import Drift
from stream.events import ALL, Prediction
from stream.judge.known import KnownInput, References
from stream.reference import FIRST, NO_NUMBERS, NO_WORDS, Feature, Reference
from stream.repeats import RUN
from stream.said import SAID


def record(reference: Reference, prediction: Prediction) -> None:
    """Take one prediction of a history: all of its windows are reference, however long it is."""
    for name in reference.observe(prediction):
        if name == RUN:
            continue
        feature, at = reference.features[name], float(prediction.at)
        if feature.drift.is_whole(at):
            feature.drift.is_learned = False
            feature.drift.take(feature.reference, feature.window, at, inf)
            feature.begin()


def inputs_of(reference: Reference) -> dict[str, KnownInput]:
    """Return the inputs that have bins; what a model says is its version's own, and none of them."""
    return {
        name: KnownInput(
            edges=[*one.numbers],
            words=[*one.words],
            counts=[*one.reference],
            windows=one.drift.windows,
            noise=one.drift.noise,
            typical=one.drift.typical,
            is_whole=one.drift.is_learned,
            usual=one.usual,
        )
        for name, one in sorted(reference.features.items())
        if name not in SAID and one.cells
    }


def known_reference(references: References, model: str) -> Reference:
    """Return what a model's first version begins with: the inputs that the file knows."""
    whole = references.get(model, {}).get(ALL)
    return Reference({name: _feature(one) for name, one in whole.inputs.items()} if whole is not None else {})


def _feature(known: KnownInput) -> Feature:
    made = Feature()
    made.numbers = array("d", known.edges) if known.edges else NO_NUMBERS
    made.words = {word: FIRST + place for place, word in enumerate(known.words)} or NO_WORDS
    made.intervals_from = FIRST + len(known.words)
    made.expect(known.counts)
    made.usual = known.usual
    if known.is_whole:
        windows, noise, typical = known.windows, known.noise, known.typical
        made.drift = Drift(learned_from=0.0, windows=windows, noise=noise, typical=typical, is_learned=True)
    return made


def input_faults(known: KnownInput) -> Iterator[str]:
    """Yield what is wrong with one input of a file."""
    wanted = FIRST + len(known.words) + len(known.edges) + 1
    if len(known.counts) != wanted:
        yield f"{len(known.counts)} counts; want {wanted}: nulls, unknown words, each word, each interval"
    if min(known.counts, default=0) < 0 or not any(known.counts):
        yield f"counts {known.counts}; want whole numbers of 0 or more, and some above"
    if [*known.edges] != sorted({*known.edges}) or not all(map(isfinite, known.edges)):
        yield f"edges {known.edges}; want numbers in ascending order, each once"
    if len({*known.words}) != len(known.words):
        yield f"words {known.words}; want each once"
    figures = {name: getattr(known, name) for name in ("noise", "typical", "usual", "windows")}
    if not all(0.0 <= one < inf for one in figures.values()):
        yield f"{', '.join(f'{name} {one}' for name, one in figures.items())}; want 0 or more"
