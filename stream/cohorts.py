"""Core. The cohorts in which a model's versions hold their confidence against labels."""

from __future__ import annotations

from collections.abc import Mapping

from stream.confidence import Confidence
from stream.version import Version, served_until


def expect(versions: Mapping[str, Version], label_horizon_s: float) -> None:
    """Count confidence anew, from the next cohort on, where it was for another label horizon (seconds)."""
    for version in versions.values():
        if version.confidence.horizon_s != label_horizon_s:
            version.confidence = Confidence(label_horizon_s, served_until(version))


def close_cohorts(versions: Mapping[str, Version], now: float) -> None:
    """Hold estimates against labels of which all are known, when both clocks of the partition stand at ``now``."""
    for version in versions.values():
        version.confidence.close(now)
