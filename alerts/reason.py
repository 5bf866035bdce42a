"""Core. Why a decision was taken: the name of the log line, of the metric's label and of the test."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from alerts.incident import Incident


class Reason(StrEnum):
    """What became of a finding, or of an incident as time passed."""

    OPENED = "opened"
    REOPENED = "reopened"
    FLAPPING = "flapping"
    ANOTHER_IS_FULL = "another_is_full"
    CHILD_ADDED = "child_added"
    ALREADY_OPEN = "already_open"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    HOLDING = "holding"
    STILL_OPEN_CHILDREN = "still_open_children"
    CLOSED_UNSEEN = "closed_unseen"
    TICKET_NOT_PAGED = "ticket_not_paged"
    NO_RECEIVERS = "no_receivers"
    RECEIVERS_GONE = "receivers_gone"
    INHIBITED = "inhibited"
    SILENCED = "silenced"
    QUIET_HOURS = "quiet_hours"
    RELEASED = "released"
    STEPPED = "stepped"
    REPEATED = "repeated"
    REPEAT_LEFT_OUT = "repeat_left_out"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED_BY_HAND = "resolved_by_hand"
    RESOLVED_BEFORE = "resolved_before"
    COMMENTED = "commented"
    ROLLBACK_OFFERED = "rollback_offered"
    ROLLBACK_ASKED = "rollback_asked"
    ROLLBACK_ASKED_BEFORE = "rollback_asked_before"
    ROLLBACK_DRY_RUN = "rollback_dry_run"
    NO_SUCH_ROLLBACK = "no_such_rollback"
    BURNS_FAST = "burns_fast"
    BURNS = "burns"
    SMOULDERS = "smoulders"
    WITHIN_BUDGET = "within_budget"
    NO_OBJECTIVE = "no_objective"
    CHANGE_ANNOUNCED = "change_announced"
    CHANGE_LEFT_OUT = "change_left_out"
    CHANGE_UNHEARD = "change_unheard"
    SILENCE_SET = "silence_set"
    SILENCE_ENDED = "silence_ended"
    NO_SUCH_SILENCE = "no_such_silence"
    TOO_MANY_SILENCES = "too_many_silences"
    NO_SUCH_INCIDENT = "no_such_incident"
    REPEAT = "repeat"


class Decision(NamedTuple):
    """The incidents that changed, with their new due notifications, and why; the main reason first."""

    changed: tuple[Incident, ...]
    reasons: tuple[Reason, ...]


def merged(decisions: Iterable[Decision]) -> Decision:
    """Return several incidents' decisions as one; each reason once."""
    made = list(decisions)
    changed = tuple(incident for decision in made for incident in decision.changed)
    return Decision(changed, tuple(dict.fromkeys(reason for decision in made for reason in decision.reasons)))
