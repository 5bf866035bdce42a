"""Shell. The only module that knows httpx: one POST and what its answer asks the sender to do next, or one GET."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Coroutine, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, TypeVar

import httpcore
import httpx
import structlog

from alerts.answer import STOOD_STILL, UNFORESEEN, Answer, Fetched, Refused, Reply, RetryLater
from alerts.dial import GuardedNetwork, Names, NoSuchName, NotAllowed, NotAllowedNow, Resolve
from alerts.guard import Guard
from alerts.receivers.request import Gate, Request, always
from alerts.tls import UNTRUSTED, Trust, failure

log = structlog.get_logger("tidewatch.pager")
RESPONSE_BYTES = 65_536
"""As much of an answer's body is read."""
FETCHED_BYTES = 1_048_576
WRITING = {"http11.send_request_headers.started", "http11.send_request_body.started"}
"""What httpcore calls the instants before the first byte of a request, and of its body."""
LOOK_UPS = 12
"""As often a name is looked up that leads where requests may not go: for minutes it may be answered wrongly."""
CONNECTING = "connection.connect_tcp.started"
KEPT = 20
"""Connections that are kept open for the next request at most."""
BROKEN = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)

T = TypeVar("T")


class HeldBack(Exception):
    """The gate did not let a request out; nothing of its body was written."""


class Http:
    """One client for all receivers: no proxy from the environment, no redirects, a deadline per exchange.

    It trusts the public authorities, and those of ``ca_file`` (PEM), also when they come into it later.
    """

    def __init__(
        self,
        timeout_s: float = 10.0,
        guard: Guard | None = None,
        resolve: Resolve | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._trust = Trust(httpx.create_ssl_context(trust_env=False), ca_file)
        transport = _Transport(guard or Guard(), resolve or Names(), self._trust.context)
        self._client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=timeout_s,
            headers={"accept-encoding": "identity"},  # an answer is read as it comes
            # they would grow, and be another's too
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)  # below, they log URLs, and those hold secrets

    async def send(self, request: Request, gate: Gate = always) -> Answer:
        """POST the request, if ``gate`` still lets it out; every failure is an answer, never an exception."""
        return await self._safely(self._exchange(request, gate))

    async def fetch(self, url: str) -> Fetched | RetryLater | Refused:
        """GET a body of at most ``FETCHED_BYTES``; every failure is a reason, never an exception."""
        return await self._safely(self._get(url))

    async def _safely(self, exchange: Coroutine[Any, Any, T]) -> T | RetryLater | Refused:
        try:
            return await exchange
        except (TimeoutError, httpx.TimeoutException):
            return RetryLater("timeout")
        except NotAllowedNow:
            return RetryLater("address_not_allowed", most=LOOK_UPS)
        except NotAllowed:
            return Refused("address_not_allowed")
        except NoSuchName:
            return RetryLater("name_not_resolved")
        except HeldBack:
            return RetryLater(STOOD_STILL)
        except httpx.HTTPError as fault:
            # without the message: it may quote the URL, and that holds secrets
            reason = failure(fault) or "network"
            if reason == UNTRUSTED:
                self._trust.look_again()
            return RetryLater(reason)
        except httpx.InvalidURL:
            return Refused("bad_url")
        except Exception as fault:
            # what nobody thought of must not end the pager for all the others
            log.error("request failed", fault=type(fault).__name__)
            return RetryLater(UNFORESEEN)

    async def _get(self, url: str) -> Fetched | RetryLater | Refused:
        async with asyncio.timeout(self._timeout_s), self._client.stream("GET", url) as response:
            if response.status_code != 200:
                return Refused(f"http_{response.status_code}")
            taken = bytearray()
            async for chunk in response.aiter_raw():
                taken += chunk
                if len(taken) > FETCHED_BYTES:
                    return Refused("too_large")
            return Fetched(bytes(taken))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _exchange(self, request: Request, gate: Gate) -> Answer:
        async with asyncio.timeout(self._timeout_s):
            response = await self._begun(request, gate)
        try:
            body, whole = await _body(response, request.body_s)
        finally:
            await response.aclose()
        retry_after = response.headers.get("retry-after")
        return request.read(Reply(response.status_code, retry_after, body, whole, time.time()))

    async def _begun(self, request: Request, gate: Gate) -> httpx.Response:
        """Return the beginning of the answer.

        A receiver may close a connection that was kept open just when it is used again: that is no failure.
        """
        for _ in range(KEPT):
            trail = _Trail(gate)
            try:
                return await self._once(request, trail)
            except BROKEN:
                if trail.is_fresh:
                    raise
        return await self._once(request, _Trail(gate))

    async def _once(self, request: Request, trail: _Trail) -> httpx.Response:
        made = self._client.build_request(
            "POST",
            request.url,
            content=request.body,
            headers=dict(request.headers),
            extensions={"trace": trail},
        )
        return await self._client.send(made, stream=True)


class _Trail:
    """Follows one request: holds it back when the gate is shut, and learns whether its connection is new."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.is_fresh = False

    async def __call__(self, event: str, _: Mapping[str, Any]) -> None:
        self.is_fresh |= event == CONNECTING
        if event in WRITING and not self._gate():
            raise HeldBack


async def _body(response: httpx.Response, wait_s: float) -> tuple[bytes, bool]:
    """Return as much of the body as comes in time and fits, and whether that is all."""
    taken = bytearray()
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(wait_s):
            async for chunk in response.aiter_raw():
                taken += chunk
                if len(taken) > RESPONSE_BYTES:
                    return bytes(taken[:RESPONSE_BYTES]), False
            return bytes(taken), True
    return bytes(taken), False


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own transport on a guarded network; httpx has no public way to choose the network."""

    def __init__(self, guard: Guard, resolve: Resolve, trust: ssl.SSLContext) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust,
            max_connections=100,
            max_keepalive_connections=KEPT,
            keepalive_expiry=5.0,
            network_backend=GuardedNetwork(guard, resolve),
        )
