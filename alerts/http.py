"""Shell. The only module that knows httpx: one POST, and what its answer asks the sender to do next."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from alerts.receivers.request import Request

RESPONSE_BYTES = 65_536
"""As much of an answer's body is read."""
DRAIN_S = 0.5
"""As long is waited for an answer's body."""
RETRY_AFTER_CAP_S = 3_600.0
RETRIED = frozenset({408, 425, 429})


class Accepted(NamedTuple):
    """The receiver has it."""

    reason: str = "accepted"


class RetryLater(NamedTuple):
    """The receiver may take it later; ``after_s`` is what it asked for, ``None`` if nothing."""

    reason: str
    after_s: float | None = None


class Refused(NamedTuple):
    """The receiver will never take it: mend its configuration."""

    reason: str


Answer = Accepted | RetryLater | Refused


class Http:
    """One client for all receivers: no proxy from the environment, no redirects, a deadline per exchange."""

    def __init__(self, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout_s)

    async def send(self, request: Request) -> Answer:
        """POST the request; every failure is an answer, never an exception."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(request)
        except (TimeoutError, httpx.TimeoutException):
            return RetryLater("timeout")
        except httpx.HTTPError:
            return RetryLater("network")  # without the message: it may quote the URL, and that holds secrets
        except httpx.InvalidURL:
            return Refused("bad_url")

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _exchange(self, request: Request) -> Answer:
        posted = self._client.stream("POST", request.url, content=request.body, headers=dict(request.headers))
        async with posted as response:
            # The status has said all. The body is only read so that the connection can be used again.
            with contextlib.suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout(DRAIN_S):
                    await _drain(response)
            return classify(response.status_code, response.headers.get("retry-after"), time.time())


async def _drain(response: httpx.Response) -> None:
    taken = 0
    async for chunk in response.aiter_raw():
        taken += len(chunk)
        if taken > RESPONSE_BYTES:
            return


def classify(status: int, retry_after: str | None, now: float) -> Answer:
    """Return what a status asks for: 2xx accepted; 408, 425, 429 and 5xx again later; the rest never."""
    if 200 <= status < 300:
        return Accepted()
    if status in RETRIED or status >= 500:
        return RetryLater(f"http_{status}", retry_after_s(retry_after, now))
    return Refused(f"http_{status}")


def retry_after_s(value: str | None, now: float) -> float | None:
    """Read a Retry-After header, seconds or HTTP date, as seconds within 0..3600; else ``None``."""
    if not value:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else parsedate_to_datetime(value).timestamp() - now
    except ValueError:
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_CAP_S) if math.isfinite(seconds) else None
