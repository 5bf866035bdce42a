"""Core. Microsoft Teams: an Adaptive Card for a Workflows webhook, which takes 28 KB.

Teams may answer 200 with an error in the body ("Webhook message delivery failed with error … HTTP error 429").
"""

from __future__ import annotations

import re
from typing import Any

from alerts.answer import Accepted, Answer, Refused, Reply, RetryLater, by_status
from alerts.incident import Incident, Notification
from alerts.links import NOWHERE, Links
from alerts.listing import line, tally
from alerts.outbox import Digest
from alerts.receivers.request import Request, read_request
from alerts.wording import CAUSES, cut, facts, few, headline, summary

CARD = "application/vnd.microsoft.card.adaptive"
TITLE = 150
TEXT = 200
SENTENCE = 600
LISTED = 120
"""Characters have up to four bytes: these keep the longest card under 28 KB."""
_STATUS = re.compile(rb"HTTP error (\d{3})")
_FAILED = re.compile(rb"delivery failed|\berror\b", re.IGNORECASE)


class TeamsReceiver:
    """Posts to the workflow that ``url`` belongs to; the URL is the secret."""

    def __init__(self, url: str, links: Links = NOWHERE) -> None:
        self._url = url
        self._links = links

    def message(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the card; texts are runs, which Teams doesn't read as Markdown."""
        action = notification.action
        title = _line(headline(incident, action, TITLE), weight="Bolder", size="Large")
        body = [title, _line(cut(summary(incident), SENTENCE))]
        body += [_line(f"{name}: {cut(value, TEXT)}") for name, value in facts(incident, action)]
        if action == "trigger":
            body += [_line(f"• {cause}") for cause in few(incident.lead.causes, CAUSES, TEXT)]
        buttons = [
            {"type": "Action.OpenUrl", "title": text, "url": url} for text, url in self._links.of(incident)
        ]
        return self._posted(body, buttons)

    def digest(self, digest: Digest, at: float) -> Request:
        """Return one card that lists the notifications."""
        lines = [_line(f"• {line(*due, LISTED)} ({due.incident.id})") for due in digest.dues]
        return self._posted([_line(tally(digest), weight="Bolder", size="Large"), *lines], [])

    def _posted(self, body: list[dict[str, Any]], buttons: list[dict[str, Any]]) -> Request:
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body,
            "actions": buttons,
        }
        attachment = {"contentType": CARD, "contentUrl": None, "content": card}
        return read_request(self._url, {"type": "message", "attachments": [attachment]}, read)


def read(reply: Reply) -> Answer:
    """Return what an answer means, also when a 2xx holds an error."""
    answer = by_status(reply)
    if not isinstance(answer, Accepted):
        return answer
    if (status := _STATUS.search(reply.body)) is not None:
        inner = by_status(reply._replace(status=int(status[1])))
        return Refused("error_in_body") if isinstance(inner, Accepted) else inner
    if _FAILED.search(reply.body):
        return RetryLater("error_in_body")
    return answer if reply.whole or reply.body else RetryLater("unread_body")


def _line(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text} | style]}
