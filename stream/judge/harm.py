"""Core. The e-detector as River knows drift detectors."""

from __future__ import annotations

from river.base import DriftDetector

from stream.judge.edetector import edetector


class HarmDetector(DriftDetector):
    """Says when losses (0..1; ``True`` is 1) have a mean above ``bound``; see ``EDetector``.

    Raises:
        ValueError: a bound outside 0..1, a run length or an inflation below 1.
    """

    def __init__(self, bound: float = 0.1, arl: float = 1e6, inflation: float = 1.0) -> None:
        super().__init__()
        self.bound, self.arl, self.inflation = bound, arl, inflation
        self.harm = edetector(bound, arl, inflation)

    def update(self, x: float) -> None:
        """Take one loss; ``drift_detected`` then says whether it proved harm. After an alarm it begins anew.

        Raises:
            ValueError: a loss that is nan or outside 0..1.
        """
        if self.drift_detected:
            self.harm = edetector(self.bound, self.arl, self.inflation)
        self._drift_detected = self.harm.step(x)
