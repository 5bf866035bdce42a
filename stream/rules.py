"""Edge. What a fold needs to know from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from stream.version import Judgement
from stream.wire import Tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a fold needs to know from the settings."""

    judgement: Judgement
    tolerance: Tolerance
    label_horizon_s: float
    pending_budget: int
    memory_entries: int
    model_budget: int
    findings: str
    dead_letters: str
    partitions: int
