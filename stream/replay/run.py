"""Edge. One run over a file: findings as they are made, and at the end what was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isnan
from typing import Any

from stream.estimates import estimates_of
from stream.events import ALL, Finding, Prediction
from stream.figures.rows import windows_of
from stream.fold import InputFold
from stream.joined import Joined
from stream.judge.budget import WEEK_S
from stream.lineage import told_of
from stream.pending import MemoryStore
from stream.replay.source import Line, batches
from stream.rules import Rules
from stream.tally import Tally
from stream.verdict.verdict import verdict

SPILLED = 25
"""Batches between two times that the join is put where the store keeps it."""
UNSAID = ("type", "proven_at")


@dataclass(slots=True)
class Count:
    """A watch that counts what the fold did."""

    events: Counter[str] = field(default_factory=Counter)
    joined: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def folded(self, tally: Tally) -> None:
        """Count one batch."""
        self.events.update(predictions=tally.predictions, outcomes=tally.outcomes, rollouts=tally.rollouts)
        self.joined.update(tally.joined)
        self.refused.update(tally.refused)
        self.findings += tally.findings

    def taken(self) -> list[Finding]:
        """Return the findings since the last time."""
        found, self.findings = self.findings, []
        return found


class Spanned(InputFold):
    """A fold that knows when the first prediction was made, and the last."""

    first_at, last_at = inf, -inf

    def _predicted(self, event: Prediction, proven_at: float, tally: Tally) -> Sequence[Joined]:
        joined = super()._predicted(event, proven_at, tally)
        at = float(event.at)
        if at < self.first_at:
            self.first_at = at
        if at > self.last_at:
            self.last_at = at
        return joined


class Replay:
    """A fold over lines; ask for the findings, then for the summary."""

    def __init__(self, rules: Rules) -> None:
        self._count, self._increase = Count(), rules.judgement.minimum_increase
        self._fold = Spanned(0, rules, self._count, MemoryStore())
        self._pages = self._tickets = 0

    def findings(self, found: Iterable[Line]) -> Iterator[Finding]:
        """Yield the findings in the order in which they are made."""
        for number, batch in enumerate(batches(found), 1):
            self._fold.apply(batch)
            while self._fold.is_behind:
                self._fold.apply(())
            if not number % SPILLED:
                self._fold.spill()
            for finding in self._count.taken():
                self._note(finding)
                yield finding

    def _note(self, finding: Finding) -> None:
        if finding.state == "open":
            self._pages += finding.severity == "page"
            self._tickets += finding.severity == "ticket"

    def summary(self) -> dict[str, Any]:
        """Return counts, figures per model and version, and pages a week; ``None`` where nothing is known."""
        weeks = self._weeks()
        return {
            "kind": "summary",
            "events": dict(sorted(self._count.events.items())),
            "joined": dict(sorted(self._count.joined.items())),
            "refused": dict(sorted(self._count.refused.items())),
            "pages": self._pages,
            "tickets": self._tickets,
            "weeks": weeks,
            "pages_per_week": self._pages / weeks if weeks else None,
            "models": self._models(),
            "labels": self._labels(),
        }

    def _weeks(self) -> float | None:
        """Return how long predictions were made, with labels or without; ``None`` for one instant or none."""
        elapsed_s = self._fold.last_at - self._fold.first_at
        return elapsed_s / WEEK_S if elapsed_s > 0.0 else None

    def _labels(self) -> Mapping[str, Any]:
        """Return by model which share is labelled in the end, and the mean loss of mature cohorts."""
        found: dict[str, Any] = {}
        for model, monitor in sorted(self._fold.monitors.items()):
            maturity = monitor.health.maturity
            labels, loss = maturity.mature(self._fold.join.watermark)
            final = maturity.final()
            found[model] = {
                "labelled_in_the_end": None if isnan(final) else final,
                "mature_labels": labels,
                "mature_loss": loss / labels if labels else None,
            }
        return found

    def _models(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for model, monitor in self._fold.monitors.items():
            self._fold.close_cohorts(monitor)
            for version, whole in monitor.versions.items():
                one = whole.series[ALL]
                figure = one.rollout()
                found.setdefault(model, {})[version] = {
                    "metric": one.metric,
                    "value": None if isnan(figure) else figure,
                    "predictions": one.predictions,
                    "outcomes": one.outcomes,
                    "reference_losses": one.guard.known,
                    "has_open_finding": whole.is_harmed() or bool(told_of(monitor.lineage, version)),
                    "verdict": verdict(monitor, version, None, self._increase),
                    "estimate": estimates_of(whole.confidence),
                    "windows": windows_of(whole.sums, one.place, ALL),
                }
        return dict(sorted(found.items()))


def row(finding: Finding) -> dict[str, Any]:
    """Return a finding as a line of the report."""
    fields = {name: getattr(finding, name) for name in finding.__struct_fields__ if name not in UNSAID}
    return {"kind": "finding", **fields}
