"""Shell. Reaches a name: looks it up, has every address of it checked, and takes the first that is there.

A name is looked up once: the connection goes to a checked address, whatever the name means the next moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, TypeVar

import httpcore

from alerts.guard import Guard

STAGGER_S = 0.25
"""So long after one address the next is tried beside it: one that never answers must not take all the time."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
LookUp = Callable[[str, int], Sequence[str]]
Place = tuple[str, int]
T = TypeVar("T")


class NotAllowed(Exception):
    """The address is not one that requests may go to; see ``[network] allow``."""


class NotAllowedNow(NotAllowed):
    """A name has such an address now: it may have been answered wrongly."""


class NoSuchName(Exception):
    """The name has no address now."""


def look_up(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name; this may take half a minute.

    Raises:
        OSError: it has none, or nobody could be asked.
    """
    return [str(place[4][0]) for place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Names:
    """Looks names up, each in a thread of its own: one that hangs keeps no other waiting, nor the process.

    Whoever asks for a name that is being looked up waits for the same answer.
    """

    def __init__(self, look_up: LookUp = look_up) -> None:
        self._look_up = look_up
        self._asked: dict[Place, asyncio.Future[Sequence[str] | Exception]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a name; raises what looking it up raises."""
        place = host, port
        if place not in self._asked:
            self._ask(place)
        found = await asyncio.shield(self._asked[place])
        if isinstance(found, Exception):
            raise found
        return found

    def _ask(self, place: Place) -> None:
        loop = asyncio.get_running_loop()
        self._asked[place] = asked = loop.create_future()

        def answer(found: Sequence[str] | Exception) -> None:
            del self._asked[place]
            if not asked.done():
                asked.set_result(found)

        def work() -> None:
            found: Sequence[str] | Exception
            try:
                found = self._look_up(*place)
            except Exception as fault:
                found = fault
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(answer, found)

        threading.Thread(target=work, name="look-up", daemon=True).start()


class GuardedNetwork(httpcore.AsyncNetworkBackend):
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
        """Return a connection; see httpcore.

        Raises:
            NoSuchName: the name has no address.
            NotAllowed: one of its addresses may not be asked; ``NotAllowedNow`` when the host is a name.
        """
        addresses = await _resolved(host, port, self._resolve)
        if not addresses or not all(self._guard.lets_through(address) for address in addresses):
            raise NotAllowed if _is_address(host) else NotAllowedNow

        def dial(address: str) -> Awaitable[httpcore.AsyncNetworkStream]:
            return self._network.connect_tcp(address, port, timeout, local_address, socket_options)

        return await first_of(dial, addresses, httpcore.AsyncNetworkStream.aclose)


async def _resolved(host: str, port: int, resolve: Resolve) -> Sequence[str]:
    try:
        return await resolve(host, port)
    except (OSError, UnicodeError) as fault:
        raise NoSuchName from fault


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def line_to(host: str, port: int, resolve: Resolve) -> socket.socket:
    """Return a connected socket, for a client that can't be given a network; the addresses are not checked.

    Raises:
        NoSuchName: the name has no address.
        OSError: nobody is there.
    """
    addresses = await _resolved(host, port, resolve)

    async def dial(address: str) -> socket.socket:
        line = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        try:
            line.setblocking(False)
            await asyncio.get_running_loop().sock_connect(line, (address, port))
        except BaseException:
            line.close()
            raise
        return line

    async def hang_up(line: socket.socket) -> None:
        line.close()

    return await first_of(dial, addresses, hang_up)


async def first_of(
    dial: Callable[[str], Awaitable[T]], addresses: Sequence[str], hang_up: Callable[[T], Awaitable[None]]
) -> T:
    """Return the first connection that is there, tried in this order and each a moment after the one before.

    Raises:
        Exception: what the last one failed with, when there is none.
    """
    left, fault = list(addresses), None
    dialled: set[asyncio.Future[T]] = set()
    try:
        while left or dialled:
            if left:
                dialled.add(asyncio.ensure_future(dial(left.pop(0))))
            wait_s = STAGGER_S if left else None
            done, _ = await asyncio.wait(dialled, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                dialled.discard(one)
                if (fault := one.exception()) is None:
                    return one.result()
        assert fault is not None
        raise fault
    finally:
        for one in dialled:
            one.cancel()
        for ended in await asyncio.gather(*dialled, return_exceptions=True):
            if not isinstance(ended, BaseException):
                await hang_up(ended)
