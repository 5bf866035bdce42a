"""Shell. What the pager tells its log and its metrics about findings."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from alerts.command import Command
from alerts.incident import Incident
from alerts.reason import Reason
from alerts.silences import EndSilence, Wish
from alerts.telemetry import Telemetry
from stream.events import Errors, Finding, Rollout

log = structlog.get_logger("tidewatch.pager")


class FindingWatch:
    """Counts and logs what becomes of each record of the findings topic."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def triaged(self, finding: Finding, incident: Incident | None, reasons: Sequence[Reason]) -> None:
        """Count every reason; an incident that nobody is told of is an error to whoever runs the pager."""
        self._telemetry.received.inc()
        unheard = Reason.NO_RECEIVERS in reasons
        (log.error if unheard else log.info)(
            "nobody is told: the owner has no receivers" if unheard else "finding triaged",
            finding=finding.id,
            state=finding.state,
            severity=finding.severity,
            model=finding.model,
            version=finding.version,
            slice=finding.slice,
            owner=incident.owner if incident else None,
            incident=incident.id if incident else None,
            reasons=self._counted(reasons),
        )

    def worsened(self, errors: Errors, incident: Incident | None, reasons: Sequence[Reason]) -> None:
        """Count every reason; log what changed."""
        (log.info if incident else log.debug)(
            "errors weighed",
            model=errors.model,
            incident=incident.id if incident else None,
            reasons=self._counted(reasons),
        )

    def rolled_out(self, rollout: Rollout, reasons: Sequence[Reason]) -> None:
        """Count every reason; log a rollout that somebody should hear of and won't."""
        (log.error if Reason.CHANGE_LEFT_OUT in reasons else log.info)(
            "rollout",
            model=rollout.model,
            version=rollout.version,
            stage=rollout.stage,
            reasons=self._counted(reasons),
        )

    def ripened(self, incident: Incident, reasons: Sequence[Reason]) -> None:
        """Count and log what the passing of time changed."""
        log.info(
            "time passed",
            owner=incident.owner,
            incident=incident.id,
            reasons=self._counted(reasons),
        )

    def commanded(self, command: Command, reasons: Sequence[Reason]) -> None:
        """Count and log what became of somebody's wish."""
        log.info(
            "command",
            kind=command.kind,
            incident=command.incident,
            by=command.by,
            reasons=self._counted(reasons),
        )

    def silenced(self, wish: Wish, reasons: Sequence[Reason]) -> None:
        """Count and log what became of a wish for a silence, or for its end."""
        log.info(
            "silence",
            silence=wish.id,
            by=wish.by if isinstance(wish, EndSilence) else wish.silence.author,
            reasons=self._counted(reasons),
        )

    def _counted(self, reasons: Sequence[Reason]) -> list[str]:
        for reason in reasons:
            self._telemetry.triaged.labels(reason.value).inc()
        return [reason.value for reason in reasons]

    def refused(self, reason: str) -> None:
        """Count and log a record that was no finding; its bytes are in the dead letters."""
        self._telemetry.received.inc()
        self._telemetry.refused.labels(reason).inc()
        log.warning("no finding", reason=reason)
