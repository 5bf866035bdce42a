"""Edge. Whom connections trust, and why a TLS handshake failed."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

log = structlog.get_logger("tidewatch.pager")

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


class Trust:
    """A context that trusts the authorities of a PEM file too, and those that are put into it later."""

    def __init__(self, context: ssl.SSLContext, ca_file: Path | None) -> None:
        """Read the file; raises as ``trusting`` does."""
        self._ca_file = ca_file
        self._read = self._version()
        self.context = trusting(context, ca_file)

    def look_again(self) -> None:
        """After a certificate was not trusted: trust what the file holds by now; of a faulty one nothing."""
        version = self._version()
        if version == self._read:
            return
        self._read = version
        try:
            trusting(self.context, self._ca_file)
        except ValueError as fault:
            log.error("ca_file can't be used: what was read before counts", fault=str(fault))
        else:
            log.info("ca_file was read again", file=str(self._ca_file))

    def _version(self) -> tuple[int, ...]:
        """Return what another content of the file, or another file in its place, changes."""
        try:
            found = self._ca_file.stat() if self._ca_file is not None else None
        except OSError:
            return (0,)
        return () if found is None else (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


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
