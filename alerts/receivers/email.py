"""Core. Email: plain text, one thread per incident, one address per receiver (a list's address reaches many)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from alerts.incident import Incident, Notification, notification_id
from alerts.links import NOWHERE, Links
from alerts.listing import line, tally
from alerts.outbox import Digest, Due
from alerts.receivers.mail import Mail, MailServer
from alerts.wording import CAUSES, EXAMPLES, cut, facts, few, headline, said_at, summary

_headers = HeaderRegistry()
for _name in ("in-reply-to", "references"):
    # else a long id is encoded, and is that of no thread; to typeshed it is no header class of the registry
    _headers.map_to_type(_name, MessageIDHeader)  # type: ignore[arg-type]
POLICY = SMTP.clone(header_factory=_headers)
SUBJECT = 200
LINE = 500


class EmailReceiver:
    """Hands mail from ``sender`` to ``recipient`` in at ``server``."""

    def __init__(self, server: MailServer, sender: str, recipient: str, links: Links = NOWHERE) -> None:
        self._server = server
        self._sender = sender
        self._recipient = recipient
        self._links = links

    def message(self, incident: Incident, notification: Notification, at: float) -> Mail:
        """Return the mail; its Message-ID is the notification's id, so that a repeat is known as one."""
        subject = headline(incident, notification.action, SUBJECT)
        mail = self._headed(subject, notification, said_at(incident, notification.action))
        first = notification_id(incident.id, "trigger", notification.receiver)
        if notification.id != first:
            mail["In-Reply-To"] = mail["References"] = self._id(first)
        mail.set_content("\n".join(self._lines(incident, notification)) + "\n", cte="quoted-printable")
        return Mail(self._server, self._sender, self._recipient, mail)

    def digest(self, digest: Digest, at: float) -> Mail:
        """Return one mail that lists the notifications; its Message-ID is the digest's id."""
        decided_at = max(due.notification.due_at for due in digest.dues)
        mail = self._headed(tally(digest), digest.notification, decided_at)
        lines = [row for due in digest.dues for row in self._listed(due)]
        mail.set_content("\n".join(lines) + "\n", cte="quoted-printable")
        return Mail(self._server, self._sender, self._recipient, mail)

    def _listed(self, due: Due) -> list[str]:
        url = self._links.incident(due.incident)
        return [line(*due, LINE), *([f"  {url}"] if url else []), f"  {due.incident.id}", ""]

    def _headed(self, subject: str, notification: Notification, at: float) -> EmailMessage:
        mail = EmailMessage(policy=POLICY)
        mail["From"] = Address(display_name="Tidewatch", addr_spec=self._sender)
        mail["To"] = Address(addr_spec=self._recipient)
        mail["Subject"] = subject
        mail["Date"] = format_datetime(datetime.fromtimestamp(at, UTC))
        mail["Message-ID"] = self._id(notification.id)
        mail["Auto-Submitted"] = "auto-generated"
        return mail

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
