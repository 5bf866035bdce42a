"""Core. Whether one input has drifted: windows of at least a day, each held against the first week.

A week of windows is the reference, so hours and weekdays are in it; how much its windows differed from each other
beyond chance is the ``noise`` that later ones are allowed: it widens their chance, so each count speaks for less.
Each later window multiplies the evidence, ``R <- (R + 1) * ratio``: a Shiryaev-Roberts e-detector, as on losses
(``stream.judge.edetector``). While nothing changed the mean number of windows until ``R`` reaches a limit ``A`` is
at least ``A``.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from math import exp, isnan, nan
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from stream.bins import chance, evidence, freedom, stability
from stream.events import Finding
from stream.judge.budget import WEEK_S

DAY_S = 86_400.0
FEWEST = 4
"""Windows that make a reference, however long they took; and at least a week."""
LARGE = 0.1
"""Of the index beyond chance, for a drift to be told; it is over at half of it, or within the noise."""
HIGHEST = 600.0
"""Logarithms of evidence are cut here: the limit is far below."""

Verdict = Literal["learned", "quiet", "drifted", "recovered"]


class Drift(Struct, array_like=True, gc=False):
    """What the windows of one input said. Instants are event time; ``nan`` before the first value that counts."""

    began_at: float = nan
    """Of the window that is being filled."""
    learned_from: float = nan
    windows: int = 0
    """That are in the reference."""
    noise: float = 0.0
    """The greatest index beyond chance among the windows of the reference."""
    typical: float = 0.0
    """The greatest index among them."""
    is_learned: bool = False
    psi: float = nan
    """Of the newest whole window against the reference."""
    evidence: float = 0.0
    onset_at: float = nan
    """When the first of the windows began that the evidence rests on."""
    values: int = 0
    """Values since then."""
    episode: int = 0
    finding: Finding | None = None
    run: int = 0
    """Windows ``LARGE`` beyond chance, or told, up to the newest; and the greatest index beyond chance of them."""
    furthest: float = 0.0
    longest: int = 0
    """The most windows of a drift that was told and went again; and how far one went at most."""
    swing: float = 0.0

    def is_whole(self, at: float) -> bool:
        """Return whether the window holds a day; the first call begins it."""
        if isnan(self.began_at):
            self.began_at = at
            if isnan(self.learned_from):
                self.learned_from = at
        return at - self.began_at >= DAY_S

    def take(
        self,
        reference: MutableSequence[int] | memoryview,
        window: Sequence[int],
        at: float,
        limit: float,
        told: float = 0.0,
    ) -> Verdict:
        """Take a whole window that ends ``at``; while the reference is learned, the window becomes part of it.

        ``told`` is the index beyond chance up to which a drift is told elsewhere, 0 if none is.
        """
        began_at, self.began_at = self.began_at, at
        count = sum(window)
        self.psi = stability(reference, window)
        excess = self.psi - chance(reference, count)
        if not self.is_learned:
            self._learn(reference, window, at, excess)
            return "learned"
        known = sum(reference)
        inflation = 1.0 + self.noise * known * count / (known + count) / freedom(reference)
        ratio = evidence(reference, window, inflation)
        self._gather(count, ratio, began_at, limit)
        return self._judge(excess, limit, told)

    def _judge(self, excess: float, limit: float, told: float) -> Verdict:
        """Say what a window so far beyond chance is: what an input is known to come back from is no drift."""
        is_open = self.finding is not None
        is_told = is_open or told > 0.0
        if excess < (max(LARGE / 2, self.noise) if is_told else LARGE):
            if is_told:
                self.longest, self.swing = max(self.longest, self.run), max(self.swing, self.furthest)
            self.run, self.furthest = 0, 0.0
            return "recovered" if is_told else "quiet"
        self.run, self.furthest = self.run + 1, max(self.furthest, excess)
        is_new = self.furthest > told and (self.furthest > self.swing or self.run > self.longest)
        return "drifted" if is_new and not is_open and self.evidence >= limit else "quiet"

    def _learn(
        self, reference: MutableSequence[int] | memoryview, window: Sequence[int], at: float, excess: float
    ) -> None:
        if self.windows:  # the values that the bins were cut from are too few to measure noise with
            self.noise = max(self.noise, excess)
            self.typical = max(self.typical, self.psi)
        for place, seen in enumerate(window):
            reference[place] += seen
        self.windows += 1
        self.is_learned = self.windows >= FEWEST and at - self.learned_from >= WEEK_S

    def _gather(self, count: int, ratio: float, began_at: float, limit: float) -> None:
        """Put the logarithm of one window's ratio into the evidence."""
        if self.evidence < 1.0:
            self.onset_at, self.values = began_at, 0
        self.values += count
        self.evidence = min((self.evidence + 1.0) * exp(min(ratio, HIGHEST)), limit)

    def heir(self) -> Drift:
        """Return what the next version goes on with, many versions live for hours; a ticket stays where it is."""
        return replace(self, psi=nan, episode=0, finding=None)
