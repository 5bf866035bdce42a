"""Core. What a receiver asks the SMTP client to send."""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Literal, NamedTuple

Security = Literal["starttls", "tls", "none"]


class MailServer(NamedTuple):
    """Where mail is handed in; ``username`` empty: without authentication."""

    host: str
    port: int
    security: Security
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port}, {self.security})"


class Mail(NamedTuple):
    """One message to one address."""

    server: MailServer
    sender: str
    recipient: str
    message: EmailMessage


def address(text: str) -> str:
    """Return a mail address as it is.

    Raises:
        ValueError: a mail can't be addressed so.
    """
    try:
        return Address(addr_spec=text).addr_spec
    except (ValueError, MessageError):
        raise ValueError('want a mail address such as "team@example.org"') from None
