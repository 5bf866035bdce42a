"""Core. A way to tell of rollouts: says what to send, and sends nothing itself."""

from __future__ import annotations

from typing import Protocol

from alerts.change import Change
from alerts.receivers.request import Request


class Herald(Protocol):
    """What a receiver has that hears of changes too."""

    def message(self, change: Change) -> Request:
        """Return the message; repeats say the same."""
        ...
