"""Shell. The steps of a checkpoint, and where a chaos test may end or slow the process at one of them.

``TIDEWATCH_FAULT="kill:acknowledged:3"`` ends the process, as ``kill -9`` does, the third time it comes to that
step; ``"delay:sent:2.5"`` makes it wait there every time. Without the variable nothing happens.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Protocol

import structlog

LOG = structlog.get_logger()
VARIABLE = "TIDEWATCH_FAULT"


class Step(StrEnum):
    """What one partition's checkpoint has just done, in this order."""

    FROZEN = "frozen"
    BEGUN = "begun"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    COMMITTED = "committed"
    STORED = "stored"
    TOLD = "told"


class Probe(Protocol):
    """Who is told of each step."""

    async def __call__(self, step: Step) -> None:
        """Learn that the step is done."""
        ...


async def nothing(step: Step) -> None:
    """Let the step pass."""


class Kill:
    """Ends the process at the ``number``-th passing of a step."""

    def __init__(self, step: Step, number: int) -> None:
        self._step = step
        self._left = number

    async def __call__(self, step: Step) -> None:
        """Count, and end the process when it is time."""
        if step is self._step:
            self._left -= 1
            if not self._left:
                LOG.warning("fault point", step=step, fault="kill")
                os.kill(os.getpid(), signal.SIGKILL)


class Delay:
    """Waits at a step."""

    def __init__(self, step: Step, seconds: float) -> None:
        self._step = step
        self._seconds = seconds

    async def __call__(self, step: Step) -> None:
        """Wait if it is the step."""
        if step is self._step:
            LOG.warning("fault point", step=step, fault="delay")
            await asyncio.sleep(self._seconds)


def probe(environment: Mapping[str, str]) -> Probe:
    """Return the probe that the variable asks for, or the one that does nothing.

    Raises:
        ValueError: the variable says something else than ``kill:STEP:NUMBER`` or ``delay:STEP:SECONDS``.
    """
    asked = environment.get(VARIABLE)
    if not asked:
        return nothing
    kind, _, rest = asked.partition(":")
    step, _, amount = rest.partition(":")
    with suppress(ValueError):
        if kind == "kill":
            return Kill(Step(step), int(amount))
        if kind == "delay":
            return Delay(Step(step), float(amount))
    steps = "|".join(Step)
    raise ValueError(
        f"{VARIABLE} {asked!r}: want kill:STEP:NUMBER or delay:STEP:SECONDS, STEP one of {steps}"
    )
