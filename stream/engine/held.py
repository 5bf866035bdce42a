"""Shell. One partition in memory: its fold, its checkpoint, and where its inputs go on."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.engine.cadence import Cadence
from stream.engine.checkpoint import Checkpoint
from stream.engine.losses import Losses
from stream.engine.partition import Partition


@dataclass(slots=True)
class Held:
    """What a keeper has of a partition; ``offsets`` are the next ones by input topic."""

    fold: Partition
    checkpoint: Checkpoint
    offsets: dict[str, int] = field(default_factory=dict)
    changed: bool = False
    urgent: bool = False
    cadence: Cadence = field(default_factory=Cadence)
    losses: Losses = field(default_factory=Losses)
