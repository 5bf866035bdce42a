"""Shell. The only module that knows httpx: one POST and what its answer asks the sender to do next, or one GET.

A name is resolved once, every address that it has must pass the guard, and the connection goes to a checked
address: a name that means something else the next moment gains nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpcore
import httpx
import structlog

from alerts.answer import STOOD_STILL, UNFORESEEN, Answer, Fetched, Refused, Reply, RetryLater
from alerts.guard import Guard
from alerts.receivers.request import Gate, Request, always
from alerts.tls import failure, trusting

log = structlog.get_logger("tidewatch.pager")
RESPONSE_BYTES = 65_536
"""As much of an answer's body is read."""
FETCHED_BYTES = 1_048_576
WRITING = {"http11.send_request_headers.started", "http11.send_request_body.started"}
"""What httpcore calls the instants before the first byte of a request, and of its body."""
DRAIN_S = 0.5
"""As long is waited for an answer's body."""

T = TypeVar("T")
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class HeldBack(Exception):
    """The gate did not let a request out; nothing of its body was written."""


class NotAllowed(Exception):
    """The address is not one that requests may go to; see ``[network] allow``."""


class Http:
    """One client for all receivers: no proxy from the environment, no redirects, a deadline per exchange.

    It trusts the public authorities, and those of ``ca_file`` (PEM).
    """

    def __init__(
        self,
        timeout_s: float = 10.0,
        guard: Guard | None = None,
        resolve: Resolve | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        transport = _Transport(guard or Guard(), resolve or _resolve, ca_file)
        self._client = httpx.AsyncClient(
            transport=transport, trust_env=False, follow_redirects=False, timeout=timeout_s
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
            async with asyncio.timeout(self._timeout_s):
                return await exchange
        except (TimeoutError, httpx.TimeoutException):
            return RetryLater("timeout")
        except NotAllowed:
            return Refused("address_not_allowed")
        except HeldBack:
            return RetryLater(STOOD_STILL)
        except httpx.HTTPError as fault:
            # without the message: it may quote the URL, and that holds secrets
            return RetryLater(failure(fault) or "network")
        except httpx.InvalidURL:
            return Refused("bad_url")
        except Exception as fault:
            # what nobody thought of must not end the pager for all the others
            log.error("request failed", fault=type(fault).__name__)
            return RetryLater(UNFORESEEN)

    async def _get(self, url: str) -> Fetched | RetryLater | Refused:
        async with self._client.stream("GET", url, headers={"accept-encoding": "identity"}) as response:
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
        async def look(event: str, _: Mapping[str, Any]) -> None:
            if event in WRITING and not gate():
                raise HeldBack

        posted = self._client.stream(
            "POST",
            request.url,
            content=request.body,
            headers=dict(request.headers),
            extensions={"trace": look},
        )
        async with posted as response:
            body, whole = await _body(response)
            retry_after = response.headers.get("retry-after")
            return request.read(Reply(response.status_code, retry_after, body, whole, time.time()))


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


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own transport on a guarded network; httpx has no public way to choose the network."""

    def __init__(self, guard: Guard, resolve: Resolve, ca_file: Path | None) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trusting(httpx.create_ssl_context(trust_env=False), ca_file),
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_GuardedNetwork(guard, resolve),
        )


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only; TLS still asks for the certificate of the name."""

    def __init__(self, guard: Guard, resolve: Resolve) -> None:
        self._guard = guard
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as fault:
            raise httpcore.ConnectError("no such host") from fault
        if not addresses or not all(self._guard.lets_through(address) for address in addresses):
            raise NotAllowed
        for number, address in enumerate(addresses, start=1):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise AssertionError("unreachable")


async def _resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[4][0]) for place in found]
