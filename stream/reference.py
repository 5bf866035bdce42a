"""Core. A model version's inputs against its own first ones: has the world moved, before any label tells?

The first values of a feature are its reference: numbers are cut into intervals of about equal weight, words are
counted, and then the reference is frozen. From there on each window of new values is compared with it by the
population stability index (Siddiqi 2006, "Credit Risk Scorecards"): the sum over bins of (p - q) ln(p / q), with
half a count added to each bin so that an empty one stays finite. 0 is no change; above 0.25 is commonly called a
large one. A finding names the inputs that are far
from their reference when it is made; nothing pages on that.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import log, sqrt
from typing import Any
from zlib import crc32

from stream.events import Prediction

REFERENCE = 200
"""Values that make a reference."""
WINDOW = 500
"""Values that are compared at once."""
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
"""Bins: nulls; words that the reference hardly had; then one bin a word, then one an interval."""
SCORE, PREDICTION = "@score", "@prediction"
"""What the model said is watched like a feature."""

SAID = {SCORE: "the score", PREDICTION: "the prediction"}
LARGE = 0.1
"""Of the index beyond chance, for an input to be named."""
FEWEST = 60
"""Values of a window that has just begun which are compared without waiting for the rest."""
CHANCE = 3.0
MOVED = 3
"""Inputs that are named at most as having moved."""

Value = float | bool | str | None


class Feature:
    """One feature's bins; ``psi`` is that of the last whole window, nan before there was one."""

    __slots__ = ("counts", "edges", "first", "intervals_from", "psi", "reference", "seen", "words")

    def __init__(self) -> None:
        self.first = array("d")
        self.words: dict[str, int] = {}
        """While the reference is collected: how often; then: the word's bin."""
        self.edges = array("d")
        self.reference = array("I")
        self.counts = array("I")
        self.seen = 0
        self.psi = float("nan")
        self.intervals_from = FIRST

    def add(self, value: Value) -> None:
        """Take one value."""
        counts = self.counts
        if not counts:
            self._collect(value)
            return
        if value is None:
            counts[MISSING] += 1
        elif type(value) is str:
            word = value if len(value) <= LETTERS else _short(value)
            counts[self.words.get(word, UNKNOWN)] += 1
        else:
            counts[self.intervals_from + bisect_right(self.edges, value)] += 1
        self.seen += 1
        if self.seen == WINDOW:
            self.psi = stability(self.reference, counts)
            self._clear()

    def _collect(self, value: Value) -> None:
        if isinstance(value, str):
            word = value if len(value) <= LETTERS else _short(value)
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
        self.edges = array("d", sorted({edge for edge in steps if edge > numbers[0]}))
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

    def _clear(self) -> None:
        self.counts = array("I", bytes(self.reference.itemsize * len(self.reference)))
        self.seen = 0

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
        free = max(len(self.reference) - 1, 1)
        chance = (free + CHANCE * sqrt(2.0 * free)) * (1.0 / count + 1.0 / REFERENCE)
        return psi - chance, count

    def fields(self) -> tuple[Any, ...]:
        """Return what ``restored`` takes."""
        arrays = (self.first, self.edges, self.reference, self.counts)
        return (*(one.tobytes() for one in arrays), self.words, self.seen, self.psi)


def restored(fields: Sequence[Any]) -> Feature:
    """Return the feature that gave these fields."""
    feature = Feature()
    first, edges, reference, counts, feature.words, feature.seen, psi = fields
    feature.first, feature.edges = array("d", first), array("d", edges)
    feature.reference, feature.counts = array("I", reference), array("I", counts)
    feature.psi = float("nan") if psi is None else psi
    feature.intervals_from = FIRST + len(feature.words) if feature.counts else FIRST
    return feature


def _short(word: str) -> str:
    return f"{word[:PREFIX]}…{crc32(word.encode(errors='surrogatepass')):08x}"


class Reference:
    """All watched features of one model version."""

    __slots__ = ("features", "unwatched")

    def __init__(self, features: dict[str, Feature] | None = None, unwatched: int = 0) -> None:
        self.features = {} if features is None else features
        self.unwatched = unwatched

    def observe(self, prediction: Prediction) -> None:
        """Take one prediction's features, and what the model said if that is a number."""
        features = self.features
        for name, value in prediction.features.items():
            feature = features.get(name) or self._begin(name)
            if feature is not None:
                feature.add(value)
        scores, said = prediction.scores, prediction.prediction
        if type(scores) is float:
            feature = features.get(SCORE) or self._begin(SCORE)
            if feature is not None:
                feature.add(scores)
        elif type(said) is float and scores is None:
            feature = features.get(PREDICTION) or self._begin(PREDICTION)
            if feature is not None:
                feature.add(said)

    def _begin(self, name: str) -> Feature | None:
        """Watch one more feature; past the budget, count its value and return nothing."""
        if len(self.features) >= FEATURES:
            self.unwatched += 1
            return None
        made = self.features[name] = Feature()
        return made


def moved(reference: Reference) -> Iterator[str]:
    """Yield in words which inputs' newest values lie far from the reference, the farthest first; a few."""
    found = ((*one.newest(), name) for name, one in reference.features.items())
    far = [(psi, count, name) for psi, count, name in found if psi >= LARGE]
    for psi, count, name in sorted(far, key=lambda one: (-one[0], one[2]))[:MOVED]:
        what = SAID.get(name, f"feature {name}")
        yield f"{what} moved: population stability index {psi:.2f} over the newest {count} values"


def stability(reference: Sequence[int], window: Sequence[int]) -> float:
    """Return the population stability index of two rows of counts of equal length; 0 for equal shares.

    Raises:
        ValueError: the rows are of different length or empty.
    """
    if len(reference) != len(window) or not reference:
        raise ValueError(f"bins {len(reference)} and {len(window)}: want the same number, at least 1")
    half = 0.5
    p_total, q_total = sum(window) + half * len(window), sum(reference) + half * len(reference)
    total = 0.0
    for seen, known in zip(window, reference, strict=True):
        p, q = (seen + half) / p_total, (known + half) / q_total
        total += (p - q) * log(p / q)
    return total
