"""Core. A model version's inputs against its own first ones: has the world moved, before any label tells?

The first values of a feature give its bins: numbers are cut into intervals of about equal weight, with a bin
below the least and one above the greatest of them, words are counted. The values of the first week are then the
reference (``stream.drift``). A ticket tells of a drift; a page names the inputs that are far from their reference
when it is made. Nothing pages on either.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import inf, isnan, nextafter, sqrt
from typing import Any
from zlib import crc32

import msgspec

from stream.bins import freedom, stability
from stream.drift import Drift
from stream.events import Label, Prediction

REFERENCE = 200
"""Values that the bins are cut from; they begin the reference."""
WINDOW = 500
"""Values that are looked at together; a page's causes are among them."""
INTERVALS = 10
LETTERS, PREFIX = 40, 24
"""Of a longer word the beginning and a checksum are kept: the state has a bound."""
DISTINCT, REST = 60, "\0rest"
"""Different words counted while the reference is collected, and the one that all others are counted as."""
WORDS = 20
"""Words with bins of their own; further ones share the bin of the unknown."""
FEATURES = 50
"""Features of a version that are watched; values of further ones are counted in ``Reference.unwatched``."""
MISSING, UNKNOWN, FIRST = 0, 1, 2
"""Bins: nulls; words that the first values hardly had; then one bin a word, one below all intervals, the
intervals, one above them."""
STRANGERS = 5
"""Unknown words of a window that are remembered, to be named."""
SCORE, PREDICTION = "@score", "@prediction"
"""What the model said is watched like a feature; a class without a lone score is a word."""

SAID = {SCORE: "the score", PREDICTION: "the prediction"}
FEWEST = 60
"""Values of a window that has just begun which are compared without waiting for the rest."""
CHANCE = 3.0
SCHEMA_3 = 7
"""Fields of a feature then."""

Value = float | bool | str | None


class Feature:
    """One feature's bins; ``psi`` is that of the last ``WINDOW`` values, nan before there were any."""

    __slots__ = (
        "counts",
        "drift",
        "edges",
        "first",
        "intervals_from",
        "psi",
        "reference",
        "seen",
        "strangers",
        "window",
        "words",
    )

    def __init__(self) -> None:
        self.first = array("d")
        self.words: dict[str, int] = {}
        """While the bins are sought: how often; then: the word's bin."""
        self.edges = array("d")
        self.reference = array("I")
        self.counts = array("I")
        self.window = array("I")
        """Counts of the window that ``drift`` will take, but for the newest in ``counts``."""
        self.seen = 0
        self.psi = float("nan")
        self.intervals_from = FIRST
        self.strangers: list[str] = []
        self.drift = Drift()

    def add(self, value: Value) -> bool:
        """Take one value; return whether it was the last of ``WINDOW`` values, now in ``window``."""
        counts = self.counts
        if not counts:
            self._collect(value)
            return False
        if value is None:
            counts[MISSING] += 1
        elif type(value) is str:
            word = value if len(value) <= LETTERS else short(value)
            place = self.words.get(word)
            if place is None:
                self._meet(word)
            else:
                counts[place] += 1
        else:
            counts[self.intervals_from + bisect_right(self.edges, value)] += 1
        self.seen += 1
        if self.seen < WINDOW:
            return False
        self.psi = stability(self.reference, counts)
        for place, count in enumerate(counts):
            self.window[place] += count
        self._clear()
        return True

    def _meet(self, word: str) -> None:
        self.counts[UNKNOWN] += 1
        if len(self.strangers) < STRANGERS and word not in self.strangers:
            self.strangers.append(word)

    def begin(self) -> None:
        """Begin a new window."""
        self.window = self._zeros()
        self.strangers = []

    def _collect(self, value: Value) -> None:
        if isinstance(value, str):
            word = value if len(value) <= LETTERS else short(value)
            if word not in self.words and len(self.words) >= DISTINCT:
                word = REST
            self.words[word] = self.words.get(word, 0) + 1
        elif value is not None:
            self.first.append(value)
        self.seen += 1
        if self.seen == REFERENCE:
            self._freeze()

    def _freeze(self) -> None:
        """Make bins of what was collected, and the reference of what falls into each."""
        numbers, words = sorted(self.first), self.words
        missing = REFERENCE - len(numbers) - sum(words.values())
        steps = [numbers[len(numbers) * step // INTERVALS] for step in range(1, INTERVALS) if numbers]
        inner = {edge for edge in steps if edge > numbers[0]}
        ends = (numbers[0], nextafter(numbers[-1], inf)) if numbers else ()
        self.edges = array("d", sorted({*inner, *ends}))
        common = sorted(words.keys() - {REST}, key=lambda word: (-words[word], word))[:WORDS]
        unknown = sum(words.values()) - sum(words[word] for word in common)
        intervals = [0] * (len(self.edges) + 1)
        for number in numbers:
            intervals[bisect_right(self.edges, number)] += 1
        self.reference = array("I", [missing, unknown, *(words[word] for word in common), *intervals])
        self.words = {word: FIRST + place for place, word in enumerate(common)}
        self.intervals_from = FIRST + len(common)
        self.first = array("d")
        self._clear()
        self.begin()

    def _clear(self) -> None:
        self.counts, self.seen = self._zeros(), 0

    def _zeros(self) -> array[int]:
        return array("I", bytes(self.reference.itemsize * len(self.reference)))

    def outside(self) -> tuple[int, ...]:
        """Return the bins below and above all intervals; empty when there were no numbers."""
        return (self.intervals_from, self.intervals_from + len(self.edges)) if self.edges else ()

    def newest(self) -> tuple[float, int]:
        """Return the index of the window so far, or of the last whole one while it is short, and its values.

        What may be chance is taken off: for equal shares the index times ``n m / (n + m)`` is nearly chi-squared
        with as many degrees of freedom as bins less one, so its mean and ``CHANCE`` standard deviations. nan
        before there is anything to compare.
        """
        whole = self.seen < FEWEST
        psi, count = (
            (self.psi, WINDOW)
            if whole or not self.counts
            else (stability(self.reference, self.counts), self.seen)
        )
        free, known = freedom(self.reference), sum(self.reference)
        by_chance = (free + CHANCE * sqrt(2.0 * free)) * (1.0 / count + 1.0 / max(known, 1))
        return psi - by_chance, count

    def heir(self) -> Feature | None:
        """Return what the next version's input is held against: the same bins; ``None`` before there are any."""
        if not self.counts:
            return None
        made = Feature()
        made.words, made.edges, made.intervals_from = self.words, self.edges, self.intervals_from
        made.reference = array("I", self.reference)
        made.drift = self.drift.heir()
        made._clear()
        made.begin()
        return made

    def fields(self) -> tuple[Any, ...]:
        """Return what ``restored`` takes."""
        arrays = (self.first, self.edges, self.reference, self.counts, self.window)
        rest = (self.words, self.seen, self.psi, self.strangers, self.drift)
        return (*(one.tobytes() for one in arrays), *rest)


def restored(fields: Sequence[Any]) -> Feature:
    """Return the feature that gave these fields; without bins for those of schema 3, which had others."""
    feature = Feature()
    if len(fields) == SCHEMA_3:
        return feature
    first, edges, reference, counts, window, feature.words, feature.seen, psi, strangers, drift = fields
    feature.first, feature.edges = array("d", first), array("d", edges)
    feature.reference, feature.counts, feature.window = (
        array("I", one) for one in (reference, counts, window)
    )
    feature.psi = float("nan") if psi is None else psi
    feature.intervals_from = FIRST + len(feature.words) if feature.counts else FIRST
    feature.strangers, feature.drift = strangers, msgspec.convert(drift, Drift)
    return feature


def short(word: str) -> str:
    """Return what is kept of a word that is longer than ``LETTERS``."""
    return f"{word[:PREFIX]}…{crc32(word.encode(errors='surrogatepass')):08x}"


class Reference:
    """All watched features of one model version, and how often in a row it has said the same."""

    __slots__ = ("features", "repeats", "said", "unwatched")

    def __init__(
        self,
        features: dict[str, Feature] | None = None,
        unwatched: int = 0,
        said: Label | None = None,
        repeats: int = 0,
    ) -> None:
        self.features = {} if features is None else features
        self.unwatched = unwatched
        self.said = said
        self.repeats = repeats

    def observe(self, prediction: Prediction) -> Sequence[str]:
        """Take one prediction's features, and what the model said; return those with ``WINDOW`` more values."""
        features = self.features
        looked: list[str] | None = None
        for name, value in prediction.features.items():
            feature = features.get(name) or self._begin(name)
            if feature is not None and feature.add(value):
                looked = [*(looked or ()), name]
        name, value, said = spoken(prediction)
        if said == self.said:
            self.repeats += 1
        else:
            self.said, self.repeats = said, 1
        feature = features.get(name) or self._begin(name)
        if feature is not None and feature.add(value):
            looked = [*(looked or ()), name]
        return looked or ()

    def indices(self) -> Iterator[tuple[str, float]]:
        """Yield the features that had a whole window, and the index of the newest one."""
        for name, one in self.features.items():
            if not isnan(one.drift.psi):
                yield name, one.drift.psi

    def heir(self) -> Reference:
        """Return what the next version begins with: the inputs' bins; what it says is its own."""
        known = ((name, one.heir()) for name, one in self.features.items() if name not in SAID)
        return Reference({name: one for name, one in known if one is not None})

    def _begin(self, name: str) -> Feature | None:
        """Watch one more feature; past the budget, count its value and return nothing."""
        if len(self.features) >= FEATURES:
            self.unwatched += 1
            return None
        made = self.features[name] = Feature()
        return made


def spoken(prediction: Prediction) -> tuple[str, Value, Label]:
    """Return as which input what the model said is watched, its value, and what counts as said again."""
    scores, said = prediction.scores, prediction.prediction
    if type(scores) is float:
        return SCORE, scores, scores
    return PREDICTION, said if scores is None and type(said) is float else str(said), said
