"""Shell. The only module that knows httpx: one POST, and what its answer asks the sender to do next."""

from __future__ import annotations

import asyncio
import contextlib
import time

import httpx

from alerts.answer import Answer, Refused, Reply, RetryLater
from alerts.receivers.request import Request

RESPONSE_BYTES = 65_536
"""As much of an answer's body is read."""
DRAIN_S = 0.5
"""As long is waited for an answer's body."""


class Http:
    """One client for all receivers: no proxy from the environment, no redirects, a deadline per exchange."""

    def __init__(self, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout_s)

    async def send(self, request: Request) -> Answer:
        """POST the request; every failure is an answer, never an exception."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return request.read(await self._exchange(request))
        except (TimeoutError, httpx.TimeoutException):
            return RetryLater("timeout")
        except httpx.HTTPError:
            return RetryLater("network")  # without the message: it may quote the URL, and that holds secrets
        except httpx.InvalidURL:
            return Refused("bad_url")

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _exchange(self, request: Request) -> Reply:
        posted = self._client.stream("POST", request.url, content=request.body, headers=dict(request.headers))
        async with posted as response:
            body, whole = await _body(response)
            retry_after = response.headers.get("retry-after")
            return Reply(response.status_code, retry_after, body, whole, time.time())


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """Return as much of the body as comes in time and fits, and whether that is all."""
    taken = bytearray()
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(DRAIN_S):
            async for chunk in response.aiter_raw():
                taken += chunk
                if len(taken) > RESPONSE_BYTES:
                    return bytes(taken[:RESPONSE_BYTES]), False
            return bytes(taken), True
    return bytes(taken), False
