"""Core. The e-detector of harm: a Shiryaev-Roberts mixture on losses within 0..1.

Each component's evidence follows ``R <- (R + 1) * ratio(loss)`` (Shiryaev 1963, Roberts 1966); their weighted
sum is an e-detector (Shin, Ramdas and Rinaldo 2023), so the mean number of losses to a false alarm is at least
the limit while the mean loss stays at or below the bound. It begins where a long stretch without loss leads
(Polunchenko and Tartakovsky 2010: a head start), never lower, so the first loss is no worse place for a change
than any other.

A run of ``m`` zeros is ``R <- d^m (R - c) + c`` with ``c = d / (1 - d)``, so zeros are only counted, and the
evidence is worked out at the next loss: a zero can't raise an alarm.
"""

from __future__ import annotations

from msgspec import Struct

from stream.judge.mixture import limit_for, mixture


class EDetector(Struct, array_like=True, gc=False):
    """Says when losses (0..1; ``True`` is 1) have a mean above ``bound``; a lower mean is never reported.

    ``arl`` is the wanted mean number of losses between false alarms, ``inflation`` how much dependence widens the
    variance of a mean. What follows from these is shared by all that have the same, and looked up.

    Raises:
        ValueError: a bound outside 0..1, a run length or an inflation below 1.
    """

    bound: float
    arl: float
    inflation: float
    zeros: int
    """Losses of 0 since the newest other one."""
    seen: int
    """Losses up to the newest other than 0."""
    quiet_until: int
    """Losses before the likeliest onset."""
    unused: int
    """Older releases had a number in its place."""
    climbed: float
    """The CUSUM of the smallest effect."""
    small: float
    """Evidence of the smallest effect, then of the others, after the newest loss other than 0."""
    medium: float
    large: float

    def __post_init__(self) -> None:
        """Refuse what nothing can be judged by."""
        self.aim(self.bound, self.arl, self.inflation)

    def aim(self, bound: float, arl: float, inflation: float) -> None:
        """Judge against another bound from now on; the evidence so far is kept.

        Raises:
            ValueError: a bound outside 0..1, a run length or an inflation below 1.
        """
        if not 1.0 <= arl < float("inf"):
            raise ValueError(f"arl {arl}: want at least 1")
        mixture(bound, inflation)
        self.bound, self.arl, self.inflation = bound, arl, inflation

    def step(self, x: float) -> bool:
        """Take one loss and return whether the evidence stands at the limit; nothing is forgotten then.

        Raises:
            ValueError: a loss that is nan or outside 0..1.
        """
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
        zeros, constants = self.zeros, mixture(self.bound, self.inflation)
        one, two, three = constants.components
        small = (one.down**zeros * (self.small - one.rest) + one.rest + one.weight) * one.up
        medium = (two.down**zeros * (self.medium - two.rest) + two.rest + two.weight) * two.up
        large = (three.down**zeros * (self.large - three.rest) + three.rest + three.weight) * three.up
        self._note(constants.climb, constants.fall)
        return self._settle(small, medium, large, limit_for(self.arl, constants))

    def _lose_partly(self, x: float) -> bool:
        zeros, constants = self.zeros, mixture(self.bound, self.inflation)
        share = x - constants.bound
        each = zip(self.parts(), constants.components, constants.powers, strict=True)
        small, medium, large = (
            (one.down**zeros * (part - one.rest) + one.rest + one.weight) * (1.0 + one.bet * share) ** power
            for part, one, power in each
        )
        self._note(x * constants.climb + (1.0 - x) * constants.fall, constants.fall)
        return self._settle(small, medium, large, limit_for(self.arl, constants))

    def _note(self, step: float, fall: float) -> None:
        """Follow the smallest effect's CUSUM: the last time that it was at zero is the likeliest onset."""
        climbed = self.climbed + self.zeros * fall
        if climbed <= 0.0:
            climbed, self.quiet_until = 0.0, self.seen + self.zeros
        self.climbed = climbed + step
        self.seen += self.zeros + 1
        self.zeros = 0

    def _settle(self, small: float, medium: float, large: float, limit: float) -> bool:
        """Keep the evidence, at most the limit: harm that is over is lived down no longer than it took."""
        total = small + medium + large
        self.small, self.medium, self.large = small, medium, large
        if total < limit:
            return False
        self.ease(limit / total)
        return True

    def ease(self, share: float) -> None:
        """Keep this share (0..1) of the evidence: an alarm that was not acted upon has to be proved again."""
        self.small, self.medium, self.large = self.small * share, self.medium * share, self.large * share

    def calm(self) -> None:
        """Begin anew at this loss."""
        self.small, self.medium, self.large = mixture(self.bound, self.inflation).rests
        self.climbed, self.quiet_until = 0.0, self.losses

    def parts(self) -> tuple[float, float, float]:
        """Return the evidence of each effect after the newest loss other than 0."""
        return self.small, self.medium, self.large

    @property
    def limit(self) -> float:
        """The evidence that is an alarm."""
        return limit_for(self.arl, mixture(self.bound, self.inflation))

    @property
    def evidence(self) -> float:
        """The evidence after the newest loss."""
        zeros = self.zeros
        if not zeros:
            return self.small + self.medium + self.large
        each = zip(self.parts(), mixture(self.bound, self.inflation).components, strict=True)
        small, medium, large = (one.down**zeros * (part - one.rest) + one.rest for part, one in each)
        return small + medium + large

    @property
    def losses(self) -> int:
        """How many losses were taken since it began."""
        return self.seen + self.zeros

    @property
    def losses_since_onset(self) -> int:
        """How many losses ago the harm most likely began; meaningful at an alarm."""
        return self.losses - self.quiet_until


def edetector(bound: float = 0.1, arl: float = 1e6, inflation: float = 1.0) -> EDetector:
    """Return a detector that has seen no loss.

    Raises:
        ValueError: a bound outside 0..1, a run length or an inflation below 1.
    """
    return EDetector(bound, arl, inflation, 0, 0, 0, 0, 0.0, *mixture(bound, inflation).rests)
