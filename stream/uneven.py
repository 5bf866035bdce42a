"""Core. What is made of labels where losses come sooner, or later, than other labels (``stream.development``).

Until the first slow labels of a model's first version have come nothing says that there are any: where complaints
take a day, all labels of the first day are of right predictions. What was learned before all had come is forgotten
and learned anew. After a weekend without predictions only quick labels come for a while: they prove nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Final, NamedTuple

from stream.aspects import Aspects
from stream.development import EVEN, SLACK, Early
from stream.ending import last_episode
from stream.events import ALL
from stream.history import History
from stream.maturity import Maturity
from stream.series import new_guard
from stream.version import Judgement, Version

BIASED: Final = 2.0
"""How many times the usual mean loss, or as little of it, is no fair sample."""
LOOKS: Final = 64
"""In the time until labels are settled, at most."""


class Uneven(NamedTuple):
    """One version, or the lineage, and what is known of when labels come; ``now``: of the newest outcome."""

    version: Version
    is_lineage: bool
    maturity: Maturity
    now: float

    def heed(self, model: str, versions: Mapping[str, Version], judgement: Judgement) -> None:
        """Take note of what labels say of which come late: it may be that too much was learned from quick ones.

        Also by other versions, of which too few labels come to say it: what they know is handed down.
        """
        self._look()
        self.unlearn(model, judgement)
        for one in versions.values():
            if one.is_mature and not one.settles_s:
                one.settles_s = self.version.settles_s
                self._replace(version=one, is_lineage=False).unlearn(model, judgement)

    def early(self, *since: float) -> list[Early]:
        """Return what is usual of labels that came since then, so soon after their predictions."""
        version = self.version
        if not version.settles_s:
            return [EVEN] * len(since)
        first = -inf if self.is_lineage else version.began_at  # it gets labels of older ones as well
        made = self.maturity.made(first, version.series[ALL].newest_at)
        return self.maturity.development.early(made, since, self._at())

    def unlearn(self, model: str, judgement: Judgement) -> bool:
        """Forget what the version has learned too early, if it has; return whether it had.

        What a file gives or an objective promises stays, and so does all while a harm is told.
        """
        version = self.version
        at = max(self.now, version.looked_at, version.series[ALL].newest_at)
        is_early = at - version.learned_from < version.settles_s
        if not (version.is_mature and is_early) or model in judgement.references or version.is_harmed():
            return False
        version.forgotten_episode = last_episode(version)
        version.is_mature, version.learned_from, version.aspects = False, version.began_at, Aspects()
        version.inherited = {name: one for name, one in version.inherited.items() if one.is_promised}
        for one in version.series.values():
            one.detector.restart()
            if one.guard.is_promised:
                one.guard.calm()
            else:
                one.guard, one.history = new_guard(version.task), History()
        return True

    def _at(self) -> float:
        """Return the time by the newest outcome, within bounds: the clock of its sender may be wrong."""
        version = self.version
        return min(max(self.now, version.looked_at), version.series[ALL].newest_at + version.settles_s)

    def _look(self) -> None:
        """Look now and then whether what comes is a fair sample: of late, or in the time that slow labels take.

        Batches are one in the latter only. What takes less than a cohort lasts can't be told.
        """
        version, now = self.version, self._at()
        since, slow_s = version.looked_at, version.settles_s / SLACK
        if slow_s < self.maturity.width_s:
            version.is_biased = False
        elif since == -inf:
            version.looked_at = now
        elif now - since > slow_s / LOOKS:
            version.looked_at = now
            version.is_biased = all(map(_is_biased, self.early(since, now - slow_s)))


def _is_biased(early: Early) -> bool:
    return not early.usual / BIASED <= early.mean <= early.usual * BIASED
