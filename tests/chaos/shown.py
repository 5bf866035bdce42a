"""Whether a round showed what it is for, of workers and of pagers alike."""

from __future__ import annotations


class FaultPoints:
    """What a round says of the fault points that its processes were started with."""

    faults_asked: int
    faults_fired: int

    @property
    def shows_fault(self) -> bool:
        """Whether a fault point was come to, if there was one: the load may end before that."""
        return self.faults_fired > 0 or not self.faults_asked

    @property
    def not_shown(self) -> list[str]:
        """What the round was for and did not show."""
        if self.shows_fault:
            return []
        return [f"that a fault point does its work; {self.faults_asked} started with one"]
