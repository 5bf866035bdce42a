"""Core. The harm detector: a Shiryaev-Roberts mixture e-detector on losses within 0..1, as a River drift detector.

Each component's evidence follows ``R <- (R + 1) * ratio(loss)`` (Shiryaev 1963, Roberts 1966); their weighted
sum is an e-detector (Shin, Ramdas and Rinaldo 2023), so the mean number of losses to a false alarm is at least
the limit while the mean loss stays at or below the bound. It begins where a long stretch without loss leads
(Polunchenko and Tartakovsky 2010: a head start), never lower, so the first loss is no worse place for a change
than any other.

A run of ``m`` zeros is ``R <- d^m (R - c) + c`` with ``c = d / (1 - d)``, so zeros are only counted, and the
evidence is worked out at the next loss: a zero can't raise an alarm.
"""

from __future__ import annotations

from river.base import DriftDetector

from stream.judge.mixture import Mixture, limit_for, mixture


class HarmDetector(DriftDetector):
    """Says when losses (0..1; ``True`` is 1) have a mean above ``bound``; a lower mean is never reported.

    ``arl`` is the wanted mean number of losses between false alarms, ``inflation`` how much dependence widens the
    variance of a mean. Memory is three numbers of evidence and four counters, whatever comes.
    """

    def __init__(self, bound: float = 0.1, arl: float = 1e6, inflation: float = 1.0) -> None:
        super().__init__()
        self.bound, self.arl, self.inflation = bound, arl, inflation
        self.aim(bound, arl, inflation)
        self._reset()

    def aim(self, bound: float, arl: float, inflation: float) -> None:
        """Judge against another bound from now on; the evidence so far is kept.

        Raises:
            ValueError: a bound outside 0..1, a run length or an inflation below 1.
        """
        if not 1.0 <= arl < float("inf"):
            raise ValueError(f"arl {arl}: want at least 1")
        self._constants: Mixture = mixture(bound, inflation)
        self._limit = limit_for(arl, self._constants)
        self.bound, self.arl, self.inflation = bound, arl, inflation

    zeros: int
    """Losses of 0 since the newest other one."""

    def _reset(self) -> None:
        self._drift_detected = False
        self._parts = [one.rest for one in self._constants.components]
        self.zeros = self._seen = self._quiet_until = self._calm_at = 0
        self._climbed = 0.0

    def update(self, x: float) -> None:
        """Take one loss; ``drift_detected`` then says whether it proved harm. After an alarm it begins anew.

        Raises:
            ValueError: a loss that is nan or outside 0..1.
        """
        if self._drift_detected:
            self._reset()
        self._drift_detected = self.step(x)

    def step(self, x: float) -> bool:
        """Take one loss and return whether the evidence stands at the limit; nothing is forgotten then."""
        if x == 0.0:
            self.zeros += 1
            return False
        if x == 1.0:
            return self.lose()
        if not 0.0 < x < 1.0:
            raise ValueError(f"loss {x}: want a number within 0..1")
        return self._lose_partly(x)

    def lose(self) -> bool:
        """Take a loss of 1; a loss of 0 is ``zeros += 1``."""
        zeros, constants = self.zeros, self._constants
        parts, total = [], 0.0
        for part, (up, down, weight, rest, _) in zip(self._parts, constants.components, strict=True):
            now = (down**zeros * (part - rest) + rest + weight) * up
            parts.append(now)
            total += now
        self._note(constants.climb)
        return self._settle(parts, total)

    def _lose_partly(self, x: float) -> bool:
        zeros, constants = self.zeros, self._constants
        share = x - constants.bound
        each = zip(self._parts, constants.components, constants.powers, strict=True)
        parts = [
            (one.down**zeros * (part - one.rest) + one.rest + one.weight) * (1.0 + one.bet * share) ** power
            for part, one, power in each
        ]
        self._note(x * constants.climb + (1.0 - x) * constants.fall)
        return self._settle(parts, sum(parts))

    def _note(self, step: float) -> None:
        """Follow the smallest effect's CUSUM: the last time that it was at zero is the likeliest onset."""
        climbed = self._climbed + self.zeros * self._constants.fall
        if climbed <= 0.0:
            climbed, self._quiet_until = 0.0, self._seen + self.zeros
        self._climbed = climbed + step
        self._seen += self.zeros + 1
        self.zeros = 0

    def _settle(self, parts: list[float], total: float) -> bool:
        """Keep the evidence, at most the limit: harm that is over is lived down no longer than it took."""
        if total < self._limit:
            self._parts = parts
            return False
        share = self._limit / total
        self._parts = [part * share for part in parts]
        return True

    def ease(self, share: float) -> None:
        """Keep this share (0..1) of the evidence: an alarm that was not acted upon has to be proved again."""
        self._parts = [part * share for part in self._parts]

    def calm(self) -> None:
        """Begin anew at this loss."""
        self._parts = [one.rest for one in self._constants.components]
        self._climbed, self._quiet_until = 0.0, self.losses
        self._calm_at = self.losses

    @property
    def limit(self) -> float:
        """The evidence that is an alarm."""
        return self._limit

    @property
    def evidence(self) -> float:
        """The evidence after the newest loss."""
        zeros = self.zeros
        if not zeros:
            return float(sum(self._parts))
        each = zip(self._parts, self._constants.components, strict=True)
        return sum(one.down**zeros * (part - one.rest) + one.rest for part, one in each)

    @property
    def losses(self) -> int:
        """How many losses were taken since it began (anew)."""
        return self._seen + self.zeros

    @property
    def losses_since_onset(self) -> int:
        """How many losses ago the harm most likely began; meaningful at an alarm."""
        return self.losses - self._quiet_until

    @property
    def losses_since_calm(self) -> int:
        """How many losses were taken since the evidence was last forgotten."""
        return self.losses - self._calm_at

    def state(self) -> list[float]:
        """Return what ``restored`` takes: eleven numbers."""
        return [
            self.bound, self.arl, self.inflation, self.zeros, self._seen, self._quiet_until,
            self._calm_at, self._climbed, *self._parts,
        ]  # fmt: skip


def restored(state: list[float]) -> HarmDetector:
    """Return the detector that gave this state.

    Raises:
        ValueError: not a state.
    """
    bound, arl, inflation, zeros, seen, quiet, calm, climbed, *parts = state
    found = HarmDetector(bound, arl, inflation)
    if len(parts) != len(found._parts):
        raise ValueError(f"{len(parts)} parts of evidence: want {len(found._parts)}")
    found.zeros, found._seen, found._quiet_until = int(zeros), int(seen), int(quiet)
    found._climbed, found._parts, found._calm_at = climbed, parts, int(calm)
    return found
