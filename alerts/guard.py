"""Core. Which addresses a request may go to: public ones, and those that the configuration allows.

A receiver's URL is written by a team; without a guard it could make the pager knock at doors that only the pager
can reach: its own host, the inner network, the cloud's metadata service.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

BLOCKED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; one cloud's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # a public address that one cloud serves its hosts' secrets on
        "169.254.0.0/16",  # link-local; most clouds' metadata service
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/3",  # what begins with 2 or 3 is public, and nothing else
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "4000::/2",
        "8000::/1",
    )
)
"""All that IANA's registries call special, so that it does not depend on what this Python knows of them."""
NAT64 = ip_network("64:ff9b::/96")
OWN_NAT64 = ip_network("64:ff9b:1::/48")
"""A site's own prefix. Where the last three bytes are 0 the IPv4 address may lie before them (RFC 6052)."""


class Guard:
    """Lets through what is public or in ``allowed`` (CIDR networks)."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = tuple(ip_network(text) for text in allowed)

    def lets_through(self, address: str) -> bool:
        """Whether a connection to this numeric address may be made; ``False`` for what is no address."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return all(self._is_open(one) for one in _faces(found))

    def _is_open(self, address: Address) -> bool:
        if any(address in network for network in self._allowed):
            return True
        return not any(address in network for network in BLOCKED)


def _faces(address: Address) -> list[Address]:
    """Return the address, or the IPv4 addresses that it leads to when it is one in disguise."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return [*address.teredo]
    if address in NAT64 or (address in OWN_NAT64 and int(address) & 0xFF_FFFF):
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    return [address]
