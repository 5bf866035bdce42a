"""Core. A model version's inputs against its own first ones: has the world moved, before any label tells?

The first values of a feature give its bins: numbers are cut into intervals of about equal weight, with a bin
below the least and one above the greatest of them, words are counted. The values of the first week are then the
reference (``stream.drift``). A ticket tells of a drift; a page names the inputs that are far from their reference
when it is made. Nothing pages on either.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from math import inf, isnan, nan, nextafter, sqrt
from operator import add
from typing import Any, Final
from zlib import crc32

from stream.bins import freedom, stability
from stream.drift import Drift
from stream.events import Features, Prediction
from stream.repeats import RUN, Repeats
from stream.said import PREDICTION, SAID, SCORE, Value, spoken

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
FEWEST = 60
"""Values of a window that has just begun which are compared without waiting for the rest."""
CHANCE = 3.0
NEWEST = 0.125
"""Weight of the newest in the mean of what a few hundred values usually differ by."""

# what a feature has until it needs one of its own; nothing is ever written into these
NO_CELLS: Final = array("I")
NO_NUMBERS: Final = array("d")
NO_WORDS: Final[Mapping[str, int]] = {}
UNSEEN: Final = Drift()


class Feature:
    """One feature's bins; ``psi`` is that of the last ``WINDOW`` values, nan before there were any.

    ``cells`` are empty while the bins are sought; then each bin has one of the newest values, one of the reference
    and, once it holds any, one of the window that ``drift`` will take, in this order.
    """

    __slots__ = ("cells", "drift", "intervals_from", "numbers", "psi", "seen", "strangers", "usual", "words")

    def __init__(self) -> None:
        self.numbers = NO_NUMBERS
        """While the bins are sought: the values; then: the edges of the intervals."""
        self.words = NO_WORDS
        """While the bins are sought: how often; then: the word's bin."""
        self.cells = NO_CELLS
        self.seen, self.psi = 0, nan
        self.usual = 0.0
        """The mean index beyond chance while the reference was learned: that of an hour of the day is large."""
        self.intervals_from = FIRST
        self.strangers: tuple[str, ...] = ()
        self.drift = UNSEEN

    @property
    def size(self) -> int:
        """How many bins there are, once they are found."""
        return self.intervals_from + len(self.numbers) + 1

    @property
    def is_met(self) -> bool:
        """Whether this version had a value of it: from then on, predictions without one count as missing."""
        return self.seen > 0 or not isnan(self.psi)

    @property
    def counts(self) -> Sequence[int]:
        """The newest values by bin, fewer than ``WINDOW``; empty while the bins are sought."""
        return self.cells[: self.size]

    @property
    def reference(self) -> memoryview:
        """The reference by bin: what is written there is learned."""
        return memoryview(self.cells)[self.size : 2 * self.size]

    @property
    def window(self) -> Sequence[int]:
        """The values by bin since ``begin``, but for the newest in ``counts``."""
        return self.cells[2 * self.size :] or array("I", [0] * (len(self.cells) // 2))

    def add(self, value: Value) -> bool:
        """Take one value; return whether it was the last of ``WINDOW`` values, now in ``window``."""
        cells = self.cells
        if not cells:
            self._collect(value)
            return False
        if value is None:
            cells[MISSING] += 1
        elif type(value) is str:
            word = value if len(value) <= LETTERS else short(value)
            place = self.words.get(word)
            if place is None:
                self._meet(word)
            else:
                cells[place] += 1
        else:
            cells[self.intervals_from + bisect_right(self.numbers, value)] += 1
        seen = self.seen = self.seen + 1
        if seen < WINDOW:
            return False
        self._end()
        return True

    def _end(self) -> None:
        """Put the newest values into the window."""
        counts = self.counts
        self.psi = stability(self.reference, counts)
        if not self.drift.is_learned:
            self.usual += NEWEST * (max(self._beyond_chance(self.psi, WINDOW), 0.0) - self.usual)
        self.expect(self.reference, array("I", map(add, self.window, counts)))
        if self.drift is UNSEEN:
            self.drift = Drift()

    def expect(self, counts: Iterable[int], window: array[int] = NO_CELLS) -> None:
        """Begin anew against this reference, one count a bin, without newest values."""
        known = array("I", counts)
        self.cells, self.seen = array("I", bytes(known.itemsize * len(known))) + known + window, 0

    def _meet(self, word: str) -> None:
        self.cells[UNKNOWN] += 1
        if len(self.strangers) < STRANGERS and word not in self.strangers:
            self.strangers = (*self.strangers, word)

    def begin(self) -> None:
        """Begin a new window."""
        self.cells = self.cells[: 2 * self.size]
        self.strangers = ()

    def _collect(self, value: Value) -> None:
        if isinstance(value, str):
            word = value if len(value) <= LETTERS else short(value)
            if word not in self.words and len(self.words) >= DISTINCT:
                word = REST
            self.words = {**self.words, word: self.words.get(word, 0) + 1}
        elif value is not None:
            self.numbers = self.numbers or array("d")
            self.numbers.append(value)
        self.seen += 1
        if self.seen == REFERENCE:
            self._freeze()

    def _freeze(self) -> None:
        """Make bins of what was collected, and the reference of what falls into each."""
        numbers, words = sorted(self.numbers), self.words
        missing = REFERENCE - len(numbers) - sum(words.values())
        steps = [numbers[len(numbers) * step // INTERVALS] for step in range(1, INTERVALS) if numbers]
        inner = {edge for edge in steps if edge > numbers[0]}
        ends = (numbers[0], nextafter(numbers[-1], inf)) if numbers else ()
        self.numbers = array("d", sorted({*inner, *ends})) if numbers else NO_NUMBERS
        common = sorted(words.keys() - {REST}, key=lambda word: (-words[word], word))[:WORDS]
        unknown = sum(words.values()) - sum(words[word] for word in common)
        intervals = [0] * (len(self.numbers) + 1)
        for number in numbers:
            intervals[bisect_right(self.numbers, number)] += 1
        self.words = {word: FIRST + place for place, word in enumerate(common)} or NO_WORDS
        self.intervals_from = FIRST + len(common)
        self.expect((missing, unknown, *(words[word] for word in common), *intervals))

    def outside(self) -> tuple[int, ...]:
        """Return the bins below and above all intervals; empty when there were no numbers."""
        return (self.intervals_from, self.intervals_from + len(self.numbers)) if self.numbers else ()

    def newest(self) -> tuple[float, int]:
        """Return the index of the window so far, or of the last whole one while it is short, and its values.

        What may be chance is taken off. nan before there is anything to compare.
        """
        if self.seen >= FEWEST and self.cells:
            return self._beyond_chance(stability(self.reference, self.counts), self.seen), self.seen
        return self._beyond_chance(self.psi, WINDOW), WINDOW

    def _beyond_chance(self, psi: float, count: int) -> float:
        """Return an index of so many values without what may be chance: the mean and ``CHANCE`` deviations.

        For equal shares it is nearly chi-squared over ``n m / (n + m)``, its freedom that of the bins less one.
        """
        free, known = freedom(self.reference), sum(self.reference)
        by_chance = (free + CHANCE * sqrt(2.0 * free)) * (1.0 / count + 1.0 / max(known, 1))
        return psi - by_chance

    def recent(self) -> Sequence[int]:
        """Return by bin the values that ``newest`` speaks of; all zeros when they are no longer known."""
        return self.counts if self.seen >= FEWEST else array("I", map(add, self.window, self.counts))

    def heir(self) -> Feature | None:
        """Return what the next version's input goes on with, the window too; ``None`` before there are bins."""
        if not self.cells:
            return None
        made = Feature()
        made.words, made.numbers, made.intervals_from = self.words, self.numbers, self.intervals_from
        made.drift, made.usual = self.drift if self.drift is UNSEEN else self.drift.heir(), self.usual
        made.expect(self.reference, array("I", map(add, self.window, self.counts)))
        made.strangers = self.strangers
        return made

    def fields(self) -> tuple[Any, ...]:
        """Return what ``stream.state`` takes."""
        rest = (self.words, self.seen, self.psi, self.strangers, self.drift, self.usual)
        if not self.cells:
            return (self.numbers.tobytes(), b"", b"", b"", b"", *rest)
        cells, wide = self.cells.tobytes(), self.cells.itemsize * self.size
        window = cells[2 * wide :] or bytes(wide)
        return (b"", self.numbers.tobytes(), cells[wide : 2 * wide], cells[:wide], window, *rest)


def short(word: str) -> str:
    """Return what is kept of a word that is longer than ``LETTERS``."""
    return f"{word[:PREFIX]}…{crc32(word.encode(errors='surrogatepass')):08x}"


class Reference:
    """All watched features of one model version, and how often in a row it has said the same."""

    __slots__ = ("features", "repeats", "unwatched")

    def __init__(
        self, features: dict[str, Feature] | None = None, unwatched: int = 0, repeats: Repeats | None = None
    ) -> None:
        self.features = {} if features is None else features
        self.unwatched = unwatched
        self.repeats = Repeats() if repeats is None else repeats

    def observe(self, prediction: Prediction) -> Sequence[str]:
        """Take what a prediction was fed and said; return what has ``WINDOW`` more values, and ``RUN``."""
        features = self.features
        looked: list[str] | None = None
        for name, value in prediction.features.items():
            feature = features.get(name) or self._begin(name)
            if feature is not None and feature.add(value):
                looked = [*(looked or ()), name]
        scores = prediction.scores
        said = scores if type(scores) is float else prediction.prediction
        answers = spoken(prediction, features)
        for name, value in answers:
            feature = features.get(name) or self._begin(name)
            if feature is not None and feature.add(value):
                looked = [*(looked or ()), name]
        if len(prediction.features) + len(answers) < len(features) or len(features) >= FEATURES:
            looked = [*(looked or ()), *self._miss(prediction.features)]
        if self.repeats.take(said, prediction.at):
            looked = [RUN, *(looked or ())]  # before its window is learned
        return looked or ()

    def _miss(self, given: Features) -> Iterator[str]:
        """Count what a prediction leaves out as missing; yield the features with ``WINDOW`` more values."""
        for name, feature in self.features.items():
            if name not in given and name not in SAID and feature.is_met and feature.add(None):
                yield name

    @property
    def answer(self) -> str:
        """As which input the answer is watched whose repeats are counted."""
        return PREDICTION if PREDICTION in self.features else SCORE

    def indices(self) -> Iterator[tuple[str, float]]:
        """Yield the features that had a whole window, and the index of the newest one."""
        for name, one in self.features.items():
            if not isnan(one.drift.psi):
                yield name, one.drift.psi

    def heir(self, anew: Container[str] = ()) -> Reference:
        """Return what the next version goes on with: the inputs, but those ``anew``; what it says is its own."""
        inputs = ((name, one) for name, one in self.features.items() if name not in SAID)
        known = ((name, Feature() if name in anew else one.heir()) for name, one in inputs)
        return Reference({name: one for name, one in known if one is not None})

    def _begin(self, name: str) -> Feature | None:
        """Watch one more feature; past the budget, count its value and return nothing."""
        if len(self.features) >= FEATURES:
            self.unwatched += 1
            return None
        made = self.features[name] = Feature()
        return made
