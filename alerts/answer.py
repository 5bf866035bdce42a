"""Core. What a receiver answered, and what that asks the sender to do next."""

from __future__ import annotations

import math
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

RETRY_AFTER_CAP_S = 3_600.0
RETRIED = frozenset({408, 425, 429})
GONE = 410
STOOD_STILL = "stood_still"
"""The process stood still while a request was on its way out: another pager may have said the opposite since."""
UNFORESEEN = "unforeseen"
"""An attempt failed in a way that nobody thought of; the log names the exception."""


class Accepted(NamedTuple):
    """The receiver has it."""

    reason: str = "accepted"


class RetryLater(NamedTuple):
    """The receiver may take it later; ``after_s`` is what it asked for, ``None`` if nothing.

    After ``most`` such answers in a row it is refused; ``None``: never.
    """

    reason: str
    after_s: float | None = None
    most: int | None = None


class Refused(NamedTuple):
    """The receiver will never take this one: mend its configuration."""

    reason: str


class Gone(NamedTuple):
    """The receiver wants nothing any more: send it nothing until its configuration was mended."""

    reason: str = f"http_{GONE}"


class Fetched(NamedTuple):
    """The whole body of what was asked for."""

    body: bytes


Answer = Accepted | RetryLater | Refused | Gone


class Reply(NamedTuple):
    """An HTTP answer. ``body`` is its first 64 KiB, ``whole`` says whether that is all; ``now`` epoch seconds."""

    status: int
    retry_after: str | None
    body: bytes
    whole: bool
    now: float


def by_status(reply: Reply) -> Answer:
    """Return what the status asks for, whatever the body says.

    2xx accepted; 408, 425, 429, 5xx again later; 410 no more; the rest never.
    """
    status = reply.status
    if 200 <= status < 300:
        return Accepted()
    if status in RETRIED or status >= 500:
        return RetryLater(f"http_{status}", retry_after_s(reply.retry_after, reply.now))
    return Gone() if status == GONE else Refused(f"http_{status}")


def retry_after_s(value: str | None, now: float) -> float | None:
    """Read a Retry-After header, seconds or HTTP date, as seconds within 0..3600; else ``None``."""
    if not value:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else _instant(value) - now
    except (ValueError, OverflowError):  # a date may have numbers of any length
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_CAP_S) if math.isfinite(seconds) else None


def _instant(date: str) -> float:
    found = parsedate_to_datetime(date)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
