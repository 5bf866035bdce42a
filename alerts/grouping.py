"""Core. What belongs to one incident: what began together, and what hangs on one upstream."""

from __future__ import annotations

from fnmatch import fnmatchcase
from math import isfinite

from msgspec import Struct

from stream.events import SHIFTS, Finding

WORST = 1e9
HITS = frozenset(("accuracy", "recall"))
"""Metrics of which the loss is one less."""
FLAPS = 3
"""From this episode on an incident counts as flapping: it resolves only after a quiet of ``reopen_s``."""


class Grouping(Struct, frozen=True, kw_only=True):
    """The rules, in seconds; 0 switches a rule off.

    Findings of one owner whose onsets lie within ``together_s`` are one incident; with a common upstream, within
    ``upstream_s``. A resolved incident is reopened by a relapse within ``reopen_s``. ``hold_s`` is how long all
    must be well before an incident resolves. What an upstream's incident keeps quiet is told after all when it
    is still open ``inhibit_s`` later.
    """

    together_s: float = 300.0
    upstream_s: float = 3_600.0
    reopen_s: float = 900.0
    hold_s: float = 0.0
    inhibit_s: float = 1_800.0

    def hold(self, episode: int) -> float:
        """Return how long all must be well before this episode resolves."""
        return max(self.hold_s, self.reopen_s if episode >= FLAPS else 0.0)


class Upstream(Struct, frozen=True, kw_only=True):
    """Something that models depend on. Once ``least`` of them are worse together, its owner is told.

    When ``name`` is itself a monitored model, its own finding tells the owner at once.
    """

    name: str
    owner: str
    models: tuple[str, ...]
    least: int = 3

    def feeds(self, model: str) -> bool:
        """Whether a model depends on it, or is it."""
        return model == self.name or any(fnmatchcase(model, pattern) for pattern in self.models)


def harm(finding: Finding) -> float:
    """Return how many times the loss got larger, at most ``WORST``; 0 when it is unknown, a shift, or a drift."""
    if finding.feature is not None or finding.metric in SHIFTS:
        return 0.0
    before, after = finding.before, finding.after
    if finding.metric in HITS:
        before, after = 1.0 - before, 1.0 - after
    if not isfinite(before) or not isfinite(after):
        return 0.0
    return min(after / before, WORST) if before > 0.0 else WORST
