"""Edge. Whom connections trust, and why a TLS handshake failed."""

from __future__ import annotations

import ssl
from pathlib import Path

UNTRUSTED = "certificate_untrusted"
REASONS = {
    10: "certificate_expired",
    18: UNTRUSTED,
    19: UNTRUSTED,
    20: UNTRUSTED,
    21: UNTRUSTED,
    62: "certificate_of_another_name",
    64: "certificate_of_another_name",
}
"""OpenSSL's numbers of what is wrong with a certificate (x509_vfy.h)."""


def trusting(context: ssl.SSLContext, ca_file: Path | None) -> ssl.SSLContext:
    """Return the context, which trusts the authorities of a PEM file too from now on.

    Raises:
        ValueError: the file can't be read, or holds no certificates.
    """
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError:
        raise ValueError(f"{ca_file}: want certificates in PEM") from None
    except OSError as fault:
        raise ValueError(f"{ca_file}: {fault.strerror}") from None
    return context


def failure(fault: BaseException) -> str | None:
    """Return why TLS failed, ``None`` when it was something else that did."""
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return REASONS.get(seen.verify_code, "certificate")
        if isinstance(seen, ssl.SSLError):
            return "tls"
        seen = seen.__cause__ or seen.__context__
    return None
