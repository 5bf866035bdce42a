"""Shell. What a keeper of folds needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream.engine.partition import PartitionFactory
from stream.engine.probe import Probe


@dataclass(frozen=True, kw_only=True)
class Custody:
    """``inputs`` have the same partition count as ``checkpoints``; folds write to ``outputs``."""

    options: Mapping[str, Any]
    group: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    checkpoints: str
    factory: PartitionFactory
    interval_s: float
    probe: Probe
