"""Core. Email: plain text, one thread per incident, one address per receiver (a list's address reaches many)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from alerts.incident import Incident, Notification, notification_id
from alerts.links import NOWHERE, Links
from alerts.receivers.mail import Mail, MailServer
from alerts.wording import CAUSES, EXAMPLES, cut, facts, few, headline, said_at, summary

SUBJECT = 200


class EmailReceiver:
    """Hands mail from ``sender`` to ``recipient`` in at ``server``."""

    def __init__(self, server: MailServer, sender: str, recipient: str, links: Links = NOWHERE) -> None:
        self._server = server
        self._sender = sender
        self._recipient = recipient
        self._links = links

    def message(self, incident: Incident, notification: Notification, at: float) -> Mail:
        """Return the mail; its Message-ID is the notification's id, so that a repeat is known as one."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = Address(display_name="Tidewatch", addr_spec=self._sender)
        mail["To"] = Address(addr_spec=self._recipient)
        mail["Subject"] = headline(incident, notification.action, SUBJECT)
        mail["Date"] = format_datetime(datetime.fromtimestamp(said_at(incident, notification.action), UTC))
        mail["Message-ID"] = self._id(notification.id)
        mail["Auto-Submitted"] = "auto-generated"
        first = notification_id(incident.id, "trigger", notification.receiver)
        if notification.id != first:
            mail["In-Reply-To"] = mail["References"] = self._id(first)
        mail.set_content("\n".join(self._lines(incident, notification)) + "\n", cte="quoted-printable")
        return Mail(self._server, self._sender, self._recipient, mail)

    def _id(self, notification_id: str) -> str:
        return f"<{notification_id}@{self._sender.rpartition('@')[2]}>"

    def _lines(self, incident: Incident, notification: Notification) -> list[str]:
        lead = incident.lead
        lines = [summary(incident), ""]
        lines += [f"{name}: {value}" for name, value in facts(incident, notification.action)]
        lines += ["", *(f"{text}: {url}" for text, url in self._links.of(incident))]
        if notification.action == "trigger":
            lines += ["", "Possible causes:", *(f"- {cause}" for cause in few(lead.causes, CAUSES))]
            lines += ["", "Examples: " + ", ".join(few(lead.examples, EXAMPLES))]
        return [*lines, "", cut(f"Incident {incident.id}")]
