"""Core. When corrected labels withdraw an open finding, and what it says then."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from stream.events import Finding
from stream.history import Span
from stream.judge.recovery import SHARE

CORRECTED: Final = "labels by which this was opened have been corrected"


def is_withdrawn(since: Span, usual: float, level: float, back: float) -> bool:
    """Return whether the losses ``since`` the onset, as they are now known, are not worth a page any more.

    Corrections took ``back`` some of them, and the mean is not above ``level``, or no more is left above the
    ``usual`` mean than the share that may stay of a harm that is over: it may be chance, or the reference's error.
    """
    if back <= 0.0:
        return False
    left = since.total - usual * since.losses
    return not since.mean > level or left <= SHARE * (left + back)  # also without any loss


def withdrawn(finding: Finding, at: float) -> Finding:
    """Return the finding closed ``at``, because of corrections."""
    return replace(finding, state="closed", closed_at=at, causes=(CORRECTED, *finding.causes))
