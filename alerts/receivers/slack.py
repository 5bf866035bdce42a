"""Core. Slack's incoming webhook: a message of blocks, with its text alone for notifications.

Limits: 150 characters in a header, 3,000 in a section, 2,000 in each of 10 fields, 75 on a button, and about
13,200 in all blocks together (undocumented: ``msg_blocks_too_long``).
"""

from __future__ import annotations

from typing import Any

from alerts.answer import Accepted, Answer, Refused, Reply, RetryLater, by_status
from alerts.incident import Action, Incident, Notification
from alerts.links import NOWHERE, Links
from alerts.listing import line, tally
from alerts.outbox import Digest, Due
from alerts.receivers.request import Request, read_request
from alerts.wording import CAUSES, cut, facts, few, headline, summary

HEADER = 150
FIELD = 400
FIELDS = 10
"""Of one section."""
CAUSE_LINES = 2_500
SENTENCE = 2_000
URL = 3_000
LINES, LINE, LINK = 7, 160, 220
"""A digest's lines in one section, and characters of one line and of its link."""
MARKS: dict[Action, str] = {"trigger": "🔴", "acknowledge": "🟡", "resolve": "🟢"}


class SlackReceiver:
    """Posts to the channel that ``url`` belongs to; the URL is the secret."""

    def __init__(self, url: str, links: Links = NOWHERE) -> None:
        self._url = url
        self._links = links

    def message(self, incident: Incident, notification: Notification, at: float) -> Request:
        """Return the message; a channel gets a new one for each action, as a webhook can't change old ones."""
        action = notification.action
        text = escaped(headline(incident, action, SENTENCE), SENTENCE)
        body = {"text": text, "blocks": self._blocks(incident, action)}
        return read_request(self._url, body, read)

    def digest(self, digest: Digest, at: float) -> Request:
        """Return one message that lists the notifications, each with a link if there is room for it."""
        lines = [self._line(due) for due in digest.dues]
        texts = ["\n".join(lines[first : first + LINES]) for first in range(0, len(lines), LINES)]
        title = {"type": "header", "text": {"type": "plain_text", "text": tally(digest)}}
        context = {"type": "context", "elements": [_mrkdwn(digest.notification.id)]}
        sections = [{"type": "section", "text": _mrkdwn(text)} for text in texts]
        body = {"text": tally(digest), "blocks": [title, *sections, context]}
        return read_request(self._url, body, read)

    def _line(self, due: Due) -> str:
        text = escaped(f"{MARKS[due.notification.action]} {line(*due, LINE)}", LINE)
        url = self._links.incident(due.incident)
        return f"{text} <{url}|open>" if url and len(url) <= LINK else text

    def _blocks(self, incident: Incident, action: Action) -> list[dict[str, Any]]:
        title = cut(f"{MARKS[action]} {headline(incident, action, HEADER)}", HEADER)
        fields = [_mrkdwn(f"*{name}*\n{escaped(value, FIELD)}") for name, value in facts(incident, action)]
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}},
            {"type": "section", "text": _mrkdwn(escaped(summary(incident), SENTENCE))},
            *(
                {"type": "section", "fields": fields[at : at + FIELDS]}
                for at in range(0, len(fields), FIELDS)
            ),
        ]
        if action == "trigger" and incident.lead.causes:
            causes = "\n".join(f"• {cause}" for cause in few(incident.lead.causes, CAUSES))
            blocks.append({"type": "section", "text": _mrkdwn(escaped(causes, CAUSE_LINES, lines=True))})
        buttons = [_button(text, url) for text, url in self._links.of(incident) if len(url) <= URL]
        if buttons:
            blocks.append({"type": "actions", "elements": buttons})
        return [*blocks, {"type": "context", "elements": [_mrkdwn(incident.id)]}]


def read(reply: Reply) -> Answer:
    """Return what an answer means: Slack says ``ok`` when it has the message, and 200 may hold an error."""
    answer = by_status(reply)
    if not isinstance(answer, Accepted):
        return answer
    if reply.body.strip() == b"ok":
        return answer
    return Refused("not_ok") if reply.whole else RetryLater("unread_body")


def escaped(text: str, limit: int, *, lines: bool = False) -> str:
    """Return ``text`` with Slack's three control characters as entities, within ``limit`` characters."""
    kept = limit
    while True:
        short = cut(text, kept) if not lines else "\n".join(cut(line, kept) for line in text.split("\n"))
        safe = short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        if len(safe) <= limit:
            return safe
        kept = kept * limit // (len(safe) + 1)


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}  # else Slack makes links and mentions of names


def _button(text: str, url: str) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": text}, "url": url}
