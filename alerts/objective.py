"""Core. An owner's objective: how fast its error budget is spent, and how severe that is.

The multiwindow, multi-burn-rate rule of Google's *Site Reliability Workbook*, ch. 5: a burn rate is the share of
wrong outcomes over the share that the objective allows. It has to be high over a long window, so that much is
spent, and over a short one, so that it still goes on.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from msgspec import Struct

from alerts.reason import Reason
from stream.events import Window

DAY_S = 86_400.0


class Pace(NamedTuple):
    """A share of the period's budget that is spent within a long window, and goes on in a short one."""

    share: float
    long_s: float
    short_s: float
    severity: Literal["page", "ticket"]
    reason: Reason

    def rate(self, period_s: float) -> float:
        """Return the burn rate that spends it, at least 1: at 1 the budget lasts for just the period."""
        return max(1.0, self.share * period_s / self.long_s)


PACES = (
    Pace(0.02, 3_600.0, 300.0, "page", Reason.BURNS_FAST),
    Pace(0.05, 21_600.0, 1_800.0, "page", Reason.BURNS),
    Pace(0.10, 259_200.0, 21_600.0, "ticket", Reason.SMOULDERS),
)
"""In a period of 30 days these are burn rates of 14.4, 6 and 1."""


class Verdict(NamedTuple):
    """What the burn rates make of harm, why, and in words."""

    severity: Literal["page", "ticket"]
    reason: Reason
    words: str


class Objective(Struct, frozen=True, kw_only=True):
    """At least this ``accuracy``, within 0..1, over every period of ``period_s`` seconds, of models by globs."""

    accuracy: float
    models: tuple[str, ...] = ("*",)
    period_s: float = 30 * DAY_S

    def covers(self, model: str) -> bool:
        """Whether it is about this model."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def burn(self, window: Window) -> float:
        """Return the burn rate over a window, 0 when nothing is known of it."""
        return window.wrong / window.outcomes / (1.0 - self.accuracy) if window.outcomes else 0.0

    def can_page(self) -> bool:
        """Whether a model that is always wrong would page anybody."""
        most = 1.0 / (1.0 - self.accuracy)
        return any(most >= pace.rate(self.period_s) for pace in PACES if pace.severity == "page")

    def judge(self, windows: tuple[Window, ...]) -> Verdict | None:
        """Return the severity of harm with these windows, ``None`` when there are none; at the least a ticket."""
        if not windows:
            return None
        burns = {one.span_s: self.burn(one) for one in windows}
        for pace in PACES:
            long, short = burns.get(pace.long_s, 0.0), burns.get(pace.short_s, 0.0)
            if min(long, short) >= pace.rate(self.period_s):
                return Verdict(pace.severity, pace.reason, self._words(pace, long, short))
        first = PACES[0]
        long, short = burns.get(first.long_s, 0.0), burns.get(first.short_s, 0.0)
        return Verdict("ticket", Reason.WITHIN_BUDGET, self._words(first, long, short))

    def _words(self, pace: Pace, long: float, short: float) -> str:
        return (
            f"accuracy {self.accuracy:g} over {self.period_s / DAY_S:g} days: errors come {long:.3g} times as fast"
            f" as allowed over {_span(pace.long_s)}, {short:.3g} times over {_span(pace.short_s)}"
        )


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds < 3_600.0 else f"{seconds / 3_600:g} h"
