"""Whether a round showed what it is for, of workers and of pagers alike."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Shown:
    """What a round says of its processes."""

    faults_asked: int = 0
    """Those that were started with a fault point."""
    faults_fired: int = 0
    exits: list[str] = field(default_factory=list)
    seconds: float = 0.0

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
