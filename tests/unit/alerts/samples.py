"""Findings, records and receivers for the tests of the alerts side."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from alerts.answer import Answer
from alerts.book import IncidentBook
from alerts.grouping import Grouping
from alerts.guard import Guard
from alerts.http import Http
from alerts.incident import Action, Incident, Notification, notification_id
from alerts.intake import intake
from alerts.ledger import Ledger
from alerts.owners import Owner, Owners, RollbackHook
from alerts.reason import Reason
from alerts.receivers.mail import Mail
from alerts.receivers.receiver import Receiver
from alerts.receivers.request import Request
from alerts.triage import triage
from stream.events import Finding, Told
from stream.wire import encode

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
APART = Grouping(together_s=0, upstream_s=0, reopen_s=0, hold_s=0)
LOOPBACK = Guard(["127.0.0.0/8"])
MAPS = Owner(name="maps", models=("eta.*", "route-*"), receivers=("maps-hook", "maps-pd"))
DEPLOY = RollbackHook(name="maps-deploy")
HOOKED = Owners(
    owners=(Owner(name="maps", models=("eta.*",), receivers=("maps-hook", "maps-pd"), rollback=DEPLOY),),
    default=Owner(name="ml-platform"),
    grouping=APART,
)
OWNERS = Owners(owners=(MAPS,), default=Owner(name="ml-platform"), grouping=APART)


def finding(finding_id: str = "f1", state: str = "open", **fields: Any) -> Finding:
    facts: dict[str, Any] = {
        "id": finding_id,
        "state": state,
        "severity": "page",
        "model": "eta.city",
        "version": "7",
        "slice": "country=CH",
        "metric": "accuracy",
        "direction": "worse",
        "before": 0.91,
        "after": 0.62,
        "before_count": 5000,
        "after_count": 300,
        "onset_at": 1_000.0,
        "detected_at": 1_030.0,
        "events_since_onset": 300,
        "episode": 1,
        "examples": ("p-1", "p-2"),
        "proven_at": 2_000.0,
        "closed_at": 1_500.0 if state == "closed" else None,
    }
    return Finding(**facts | fields)


def incident_of(*findings: Finding, owners: Owners = OWNERS) -> Incident:
    """The one incident that these findings of one model make."""
    ledger = Ledger()
    for fact in findings:
        for incident in triage(ledger, fact, owners, now=2_000.25).changed:
            ledger.put(incident)
    (incident,) = ledger
    return incident


def notice(incident: Incident, action: Action, receiver: str = "maps-hook") -> Notification:
    return Notification(id=notification_id(incident.id, action, receiver), receiver=receiver, action=action)


def said(receiver: Receiver, incident: Incident, action: Action, at: float = 3_000.0) -> Request:
    """The request of a receiver that speaks HTTP."""
    message = receiver.message(incident, notice(incident, action), at)
    assert not isinstance(message, Mail)
    return message


class Rec(NamedTuple):
    """A Kafka record."""

    value: bytes | None
    timestamp: int = 2_000_100
    topic: str = "findings"
    partition: int = 0
    offset: int = 0
    key: bytes | None = b"eta.city"
    headers: Sequence[tuple[str, bytes]] = ()


def record(fact: Told) -> Rec:
    return Rec(encode(fact))


class Seen:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.reasons: list[tuple[Reason, ...]] = []
        self.refusals: list[str] = []
        self.urged = 0
        self.announced = 0

    def triaged(self, *told: Any) -> None:
        self.reasons.append(tuple(told[-1]))

    worsened = rolled_out = ripened = commanded = silenced = triaged

    def refused(self, reason: str) -> None:
        self.refusals.append(reason)

    def urge(self) -> None:
        self.urged += 1

    look_again = urge

    def announce(self) -> None:
        self.announced += 1


def fresh_book(seen: Seen | None = None, **options: Any) -> IncidentBook:
    """Return a book as the engine opens it: it has folded nothing of what its log may hold."""
    seen = seen or Seen()
    return IncidentBook(
        options.pop("owners", OWNERS),
        intake("dead-letters"),
        urge=options.pop("urge", seen.urge),
        look_again=options.pop("look_again", seen.look_again),
        announce=options.pop("announce", seen.announce),
        watch=seen,
        **options,
    )


def new_book(seen: Seen | None = None, **options: Any) -> IncidentBook:
    """Return a book that has caught up with its log; it is live after ``committed``."""
    seen = seen or Seen()
    book = fresh_book(seen, **options)
    book.caught_up()
    seen.announced = 0
    return book


def commit(book: IncidentBook) -> dict[bytes, bytes | None]:
    """Have a checkpoint of the book stored; return what was in it."""
    dirty = dict(book.freeze({}).state)
    book.committed()
    return dirty


def sent(http: Http, *requests: Request) -> list[Answer]:
    """Send requests one after the other, and let the client go."""

    async def exchange() -> list[Answer]:
        try:
            return [await http.send(request) for request in requests]
        finally:
            await http.close()

    return asyncio.run(exchange())


class Got(NamedTuple):
    """One request as the receiver saw it."""

    path: str
    headers: dict[str, str]
    body: bytes


class HookServer:
    """A real HTTP receiver; ``answer`` decides the status and headers of each request."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answer: Callable[[Got], tuple[int, dict[str, str]]] = lambda got: (204, {})
        self.body = b""
        self.before_answer: Callable[[], None] = lambda: None
        self.after_body: Callable[[], None] = lambda: None
        self.url = ""


@contextmanager
def hook_server(tls: ssl.SSLContext | None = None) -> Iterator[HookServer]:
    hook = HookServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            body = self.rfile.read(size)
            if len(body) < size:  # its sender was killed: no request came
                self.close_connection = True
                return
            got = Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            status, headers = hook.answer(got)
            hook.before_answer()
            hook.got.append(got)
            self.send_response(status)
            for name, value in ({"content-length": str(len(hook.body))} | headers).items():
                if status != 204 or name != "content-length":
                    self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(b"" if status == 204 else hook.body)
                hook.after_body()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    hook.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
