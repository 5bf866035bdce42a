"""Core. How often something goes wrong on a model's way into the join, against how often it usually does.

What became of events is counted anyway; here the counts are taken a window at a time (a day and ``FEWEST`` events
at least) and judged like an input (``stream.drift``): a week is the reference, later windows are evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct, field

from stream.bins import parts
from stream.drift import Drift, Verdict
from stream.events import Metric
from stream.joined import MISMATCHED, Reason

SHARE = 0.5
"""Of the greatest change, for an earlier kind to be told in its place: it brings the later one about."""
FEWEST = 500
"""Events of a window at least."""
AHEAD, BEHIND, ON_TIME = "ahead", "behind", "on_time"
"""Event time against Kafka's: in the future, more than a day in the past, else."""
AHEAD_S, BEHIND_S = 60.0, 86_400.0


class Kind(NamedTuple):
    """One bin: the reasons that it counts, the metric of a ticket that is about it, and what it is in words."""

    reasons: tuple[str, ...]
    metric: Metric | None
    words: str


# outcomes that come late or with other ids leave their predictions unlabelled
JOIN: Final = (
    Kind((Reason.MATCHED,), None, ""),
    Kind((Reason.LATE,), "late_rate", "labels that come after the label horizon"),
    Kind((Reason.UNMATCHED_OUTCOME,), "unmatched_rate", "outcomes whose prediction is unknown"),
    Kind(
        (Reason.UNMATCHED_PREDICTION, Reason.EVICTED),
        "unlabelled_rate",
        "predictions without an outcome within the label horizon",
    ),
    Kind(
        (Reason.DUPLICATE_PREDICTION, Reason.DUPLICATE_OUTCOME),
        "duplicate_rate",
        "predictions and outcomes that came again with a known id",
    ),
    Kind((MISMATCHED,), "mismatched_rate", "outcomes of another kind than their predictions"),
)
CLOCKS: Final = (
    Kind((ON_TIME,), None, ""),
    Kind((AHEAD,), "clock_skew_rate", "events from the future, by over a minute of Kafka's time"),
    Kind((BEHIND,), "clock_skew_rate", "events over a day older than Kafka's time"),
)


class Trouble(NamedTuple):
    """What a whole window says: the verdict, the kind that changed most, its shares (0..1), and all events."""

    verdict: Verdict
    kind: Kind
    before: float
    after: float
    before_count: int
    after_count: int


class Rates(Struct, array_like=True, gc=False):
    """Counts by kind: of the reference, and in all when the running window began."""

    drift: Drift = field(default_factory=Drift)
    reference: list[int] = []
    taken: list[int] = []

    def look(
        self, kinds: Sequence[Kind], counts: Mapping[str, int], now: float, limit: float
    ) -> Trouble | None:
        """Judge the window up to ``now``; ``None`` while it is not whole.

        ``counts`` are totals by reason, ``limit`` the evidence that is enough. What has become better is no drift:
        it is learned as what is usual.
        """
        totals = _totals(kinds, counts)
        self._fit(totals, now)
        window = [now - then for now, then in zip(totals, self.taken, strict=True)]
        if not self.drift.is_whole(now) or sum(window) < FEWEST:
            return None
        self.taken, before = totals, self.reference
        kind = _told(parts(before, window))
        shares = before[kind] / sum(before), window[kind] / sum(window)
        told = Trouble("quiet", kinds[kind], *shares, sum(before), sum(window))
        verdict = self.drift.take(before, window, now, limit)
        if verdict == "drifted" and shares[1] < shares[0]:
            self.drift, self.reference = Drift(episode=self.drift.episode), [1] * len(kinds)
            return told
        return told._replace(verdict=verdict)

    def skip(self, kinds: Sequence[Kind], counts: Mapping[str, int], now: float) -> None:
        """Begin the window anew: what it held is told elsewhere, and is neither evidence nor what is usual."""
        totals = _totals(kinds, counts)
        self._fit(totals, now)
        self._begin(totals, now)

    def _fit(self, totals: Sequence[int], now: float) -> None:
        """Begin; a window anew if an older release did not know all kinds: as many as so far are usual."""
        if not self.taken:
            self.taken, self.reference = [*totals], [1] * len(totals)
        elif len(self.taken) < len(totals):
            new = totals[len(self.taken) :]
            self.reference += [1 + self.reference[0] * count // max(totals[0], 1) for count in new]
            self._begin(totals, now)

    def _begin(self, totals: Sequence[int], now: float) -> None:
        self.drift.is_whole(now)  # which begins a drift that has not
        self.taken, self.drift.began_at = [*totals], now


def _totals(kinds: Sequence[Kind], counts: Mapping[str, int]) -> list[int]:
    return [sum(counts.get(one, 0) for one in kind.reasons) for kind in kinds]


def _told(changes: Sequence[float]) -> int:
    """Return which kind a ticket is about; the first stands for nothing wrong and is never told."""
    most = max(changes[1:])
    return next(place for place, change in enumerate(changes) if place and change >= SHARE * most)
