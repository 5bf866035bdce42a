"""Core. One further loss of a version that is judged beside its errors: how often it is large, and since when.

An aspect has a guard of its own, so harm is a share of large losses above that of its reference, as for errors.
It keeps no history: its onset is where the CUSUM of the evidence was last at zero (Page 1954).
"""

from __future__ import annotations

from math import inf
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from stream.closing import LOOKED_AT
from stream.events import Finding, Task
from stream.figures.figure import wilson
from stream.history import Span
from stream.judge.edetector import EDetector
from stream.judge.guard import UNKNOWN, Guard
from stream.judge.recovery import Extent, recovery
from stream.series import EXAMPLES

UNTOLD: Final = -(2**62)
"""Of a finding that an older state brought: where its values begin was not kept."""
SHARES: Final[Task] = "classification"
"""Large or not is a share, whatever the version's task."""


class Case(Struct, frozen=True, gc=False):
    """Where a loss comes from, and by what it is judged."""

    at: float
    """Event time of the prediction; then its id."""
    example: str
    arl: float
    """Losses between false alarms."""
    increase: float
    """The least relative rise that is worth a page."""


class Aspect(Struct, array_like=True, gc=False):
    """A guard, the reference's mean of what is told, and the losses since the likeliest onset.

    A loss comes with a ``value``, which is what the finding tells the mean of.
    Most losses are small and only counted.
    """

    guard: Guard = field(default_factory=Guard)
    count: int = 0
    total: float = 0.0
    bar: float = UNKNOWN
    look_at: int = 0
    taken: int = 0
    """How many losses the guard knows of."""
    began_total: float = 0.0
    """``total`` when the guard began to count; then the reference's losses and their values."""
    usual_losses: int = 0
    usual_total: float = 0.0
    onset_count: int = 0
    """``count`` before the likeliest onset, less what corrections took since; then ``total``, and how many came
    since that were large."""
    onset_total: float = 0.0
    large: int = 0
    since_at: float = 0.0
    large_at: float = 0.0
    """Event time of the newest large loss."""
    after_at: float = 0.0
    """Event time of the large loss before the onset."""
    examples: tuple[str, ...] = ()
    episode: int = 0
    finding: Finding | None = None
    proved: int = 0
    """Large losses since the onset when harm was proved first; 0 before."""
    told_at: float = -inf
    """Event time of the newest prediction that the open finding rests on."""
    told_count: int = UNTOLD
    """``count`` before the onset of the open finding, less what corrections took since; then ``total``."""
    told_total: float = 0.0
    back: float = 0.0
    """What corrections took back of what lies above the reference's mean, since then or the likeliest onset."""

    def counts(self, loss: float, value: float) -> bool:
        """Count the newest loss (>= 0, or what it is at most); return whether it must be taken as well."""
        self.count += 1
        self.total += value
        return loss > self.bar or self.count == self.look_at

    def take(self, loss: float, value: float, case: Case) -> bool:
        """Take the loss that was counted last; return whether harm is proved."""
        guard = self.guard
        harm = guard.harm
        if guard.learning or harm is None:
            return self._learn(loss, value, case)
        harm.zeros += self.count - 1 - self.taken
        self.taken = self.count
        if loss <= guard.cut:
            harm.zeros += 1
            return False
        is_proved = harm.lose()
        self._enlarge(harm, value, case)
        return is_proved and guard.is_due(case.arl)

    def _learn(self, loss: float, value: float, case: Case) -> bool:
        """Take a loss that the reference is made of, too, or the cut, or that has none yet."""
        guard = self.guard
        known, is_cut = guard.known, guard.cut >= 0.0
        if is_cut:
            guard.skip(self.count - 1 - self.taken)
        self.taken = self.count
        is_proved = guard.take(loss, case.arl, case.increase)
        if guard.known != known:
            self.usual_losses, self.usual_total = guard.known, self.total - self.began_total
        if not is_cut:
            self.began_total = self.total
        if loss > guard.cut >= 0.0 and guard.harm is not None:
            self._enlarge(guard.harm, value, case)
        else:
            is_proved = False
        self.aim()
        return is_proved and guard.is_due(case.arl)

    def aim(self) -> None:
        """Say which loss is to be taken next."""
        guard = self.guard
        is_each = guard.cut < 0.0 or self.finding is not None
        self.bar = UNKNOWN if is_each else guard.cut
        self.look_at = self.count + guard.due - guard.level.losses if guard.learning else 0

    def _enlarge(self, harm: EDetector, value: float, case: Case) -> None:
        """Take note of a large loss: it is the first since the onset, or one more."""
        if harm.losses_since_onset <= 1:
            self.onset_count, self.onset_total, self.large = self.count - 1, self.total - value, 1
            self.since_at, self.after_at, self.examples = case.at, self.large_at or case.at, ()
            self.proved = 0
            if self.finding is None:
                self.back = 0.0
        else:
            self.large += 1
        self.large_at = case.at
        if self.guard.is_suspected():  # few ever are, so nearly no aspect keeps ids
            self.examples = (*self.examples[1 - EXAMPLES :], case.example)

    def has_waited(self) -> bool:
        """Return whether as many large losses came since harm was proved as had proved it; ask at a proof."""
        self.proved = self.proved or self.large
        return self.large >= 2 * self.proved

    def before(self) -> Span:
        """Return the values of the reference; empty while there is none."""
        return Span(self.usual_losses, self.usual_total, float("nan"))

    def after(self) -> Span:
        """Return the values since the likeliest onset."""
        return Span(self.count - self.onset_count, self.total - self.onset_total, self.since_at)

    def told(self) -> Span | None:
        """Return the values since the open finding's onset, as now known; ``None`` where that was not kept."""
        if self.finding is None or self.told_count == UNTOLD:
            return None
        return Span(self.count - self.told_count, self.total - self.told_total, self.finding.onset_at)

    def correct(self, at: float, losses: int, value: float, example: str = "") -> None:
        """Put a loss of event time ``at`` in (``losses`` is 1) or take it out (-1).

        It is one of those since the likeliest onset if it is as young, and of those since the open finding's.
        ``example`` is the id of one that is taken out.
        """
        if example in self.examples:
            self.examples = tuple(one for one in self.examples if one != example)
        if at >= self.since_at and self.count - self.onset_count + losses > 0:
            self.onset_count -= losses
            self.onset_total -= losses * value
            if self.finding is None:
                self.back -= losses * (value - abs(self.before().mean))
        told = self.told()
        if told is None or at < told.began_at or told.losses + losses < 0:
            return
        self.told_count -= losses
        self.told_total -= losses * value
        self.back -= losses * (value - abs(self.before().mean))

    def open(self, finding: Finding, increase: float) -> None:
        """Take note of the finding that was opened: what it rests on is told."""
        guard = self.guard
        assert guard.harm is not None
        earlier, ill = guard.recovery, self.count - self.onset_count
        share = min(self.large / ill, 1.0)  # corrections may have left fewer than came
        # the bound stands for the reference's share of large losses, which is not kept
        bound, independent = guard.harm.bound, ill / guard.inflation
        extent = Extent(bound, share, bound, wilson(share * independent, independent)[0])
        if earlier is not None:
            ill = earlier.lasted(self.count - 1, ill)
        guard.recovery = recovery(SHARES, extent, increase, ill)
        guard.calm()
        self.finding, self.episode, self.told_at = finding, finding.episode, self.large_at
        self.told_count, self.told_total, self.back = self.onset_count, self.onset_total, 0.0
        self.freeze()

    def wait(self, losses: int) -> None:
        """Make no first reference of so many more losses, as ``Guard.wait``."""
        if self.guard.harm is None:
            self._skip()
            self.guard.wait(losses)
            self.aim()

    def freeze(self) -> None:
        """Learn nothing more, as ``Guard.freeze``."""
        self.guard.freeze()
        self.aim()

    def resume(self) -> None:
        """Go on to learn, as ``Guard.resume``."""
        guard = self.guard
        if not guard.learning:
            self._skip()
            self.began_total = self.total
            guard.resume()
            self.aim()

    def _skip(self) -> None:
        """Let the guard know of the losses that were only counted."""
        self.guard.skip(self.count - self.taken)
        self.taken = self.count

    def close(self, loss: float, at: float, proven_at: float | None) -> Finding | None:
        """Follow the open finding by one loss more; return it closed when its harm is over."""
        finding, guard = self.finding, self.guard
        if finding is None or guard.recovery is None:
            return None
        found = guard.recovery
        found.take(1.0 if loss > guard.cut else 0.0)
        if self.count % LOOKED_AT or guard.is_suspected() or not found.is_over(SHARES, guard.inflation):
            return None
        found.ended = self.count
        self._end()
        return replace(finding, state="closed", closed_at=at, proven_at=proven_at)

    def withdraw(self) -> None:
        """Take note that the open finding is closed though no losses have proved that its harm is over."""
        self.guard.recovery = None
        self._end()

    def _end(self) -> None:
        self.guard.calm()
        self.finding = None
        self.resume()

    def heir(self) -> Aspect | None:
        """Return the next version's aspect, as ``Guard.heir`` does."""
        guard = self.guard.heir()
        if guard is None:
            return None
        heir = Aspect(guard, usual_losses=self.usual_losses, usual_total=self.usual_total)
        if guard.learning and self.guard.learning:
            guard.level.losses += self.count - self.taken
            heir.began_total = self.began_total - self.total
        heir.aim()
        return heir
