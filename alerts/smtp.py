"""Shell. The only module that knows aiosmtplib: one mail handed in, and what the answer asks to do next."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiosmtplib
import structlog

from alerts.answer import UNFORESEEN, Accepted, Answer, Refused, RetryLater
from alerts.dial import Names, NoSuchName, Resolve, line_to
from alerts.receivers.mail import Mail
from alerts.tls import UNTRUSTED, Trust, failure

log = structlog.get_logger("tidewatch.pager")


class Smtp:
    """One connection a mail: pages are few, and a connection kept open may be dead when it is needed."""

    def __init__(
        self, timeout_s: float = 15.0, ca_file: Path | None = None, resolve: Resolve | None = None
    ) -> None:
        self._timeout_s = timeout_s
        self._resolve = resolve or Names()
        self._trust = Trust(ssl.create_default_context(), ca_file)

    async def send(self, mail: Mail) -> Answer:
        """Hand the mail in; every failure is an answer, never an exception. 4yz is for now, 5yz for good."""
        server = mail.server
        try:
            async with asyncio.timeout(self._timeout_s):
                await aiosmtplib.send(
                    mail.message,
                    sender=mail.sender,
                    recipients=[mail.recipient],
                    hostname=server.host,
                    sock=await line_to(server.host, server.port, self._resolve),
                    use_tls=server.security == "tls",
                    start_tls=server.security == "starttls",
                    tls_context=self._trust.context,
                    username=server.username or None,
                    password=server.password or None,
                    timeout=self._timeout_s,
                )
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return RetryLater("timeout")
        except NoSuchName:
            return RetryLater("name_not_resolved")
        except aiosmtplib.SMTPRecipientsRefused as fault:
            return _classified(max(one.code for one in fault.recipients))
        except aiosmtplib.SMTPResponseException as fault:
            return _classified(fault.code)
        except (aiosmtplib.SMTPNotSupported, UnicodeError):
            return Refused("smtp_not_supported")
        except (aiosmtplib.SMTPException, OSError) as fault:
            reason = failure(fault) or "network"
            if reason == UNTRUSTED:
                self._trust.look_again()
            return RetryLater(reason)
        except Exception as fault:
            log.error("mail failed", fault=type(fault).__name__)
            return RetryLater(UNFORESEEN)
        return Accepted()


def _classified(code: int) -> Answer:
    return Refused(f"smtp_{code}") if 500 <= code < 600 else RetryLater(f"smtp_{code}")
