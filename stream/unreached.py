"""Core. Which setting to look at when no broker is reached: clients and TLS name the fault, not its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

ADVICE: Final[Mapping[str, Sequence[str]]] = {
    "kafka.brokers, or what the brokers advertise: want a name that is in their certificate": (
        "Hostname mismatch",
        "IP address mismatch",
    ),
    "want a new certificate for the broker, or the right time on this machine": (
        "certificate has expired",
        "certificate is not yet valid",
    ),
    "kafka.ssl_cafile: want the authority that signed the broker's certificate": (
        "CERTIFICATE_VERIFY_FAILED",
    ),
    "kafka.sasl_username, kafka.sasl_password(_file): want those of a user of this mechanism": (
        "SaslAuthenticationFailed",
    ),
    "kafka.sasl_mechanism: want one that the broker has enabled": ("UnsupportedSaslMechanism",),
    "brokers advertise that address (advertised.listeners): want one that is reached from here": (
        "connect to node with id",
    ),
    "kafka.security_protocol: want what the broker speaks at that address": (
        "IllegalSaslState",
        "ConnectionReset",
        "SSL",
        "closed",
    ),
}
"""What to do, and the words of which one is said then; the first that fits is meant."""
CERTIFICATE: Final = ", or kafka.ssl_certfile, if it asks for the client's"


def advice(said: str, protocol: str) -> str:
    """Return what to do, after a semicolon; nothing where what is said needs none."""
    found = next((what for what, words in ADVICE.items() if any(word in said for word in words)), "")
    if protocol.endswith("SSL") and "closed" in said:
        found += CERTIFICATE
    return found and f"; {found}"
