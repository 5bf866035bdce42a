"""What the pagers' receivers got: a webhook and PagerDuty's shape, which refuse and dawdle at times."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

SECRET = "whsec_" + "A" * 32
ROUTING_KEY = "0" * 32
REFUSED_SHARE = 0.1
SLOW_SHARE = 0.02
SLOW_S = 0.5
ACTIONS = {"incident.opened": "trigger", "incident.resolved": "resolve"}


class Told(NamedTuple):
    """One request that was accepted. ``id`` is empty where the receiver has no such header."""

    receiver: str
    dedup_key: str
    action: str
    id: str


class Receivers:
    """Both receivers behind one port; ``told`` is in the order of arrival."""

    def __init__(self, seed: int) -> None:
        self.told: list[Told] = []
        self.refused = 0
        self.url = ""
        self._rng = random.Random(seed)
        self._lock = threading.Lock()

    def take(self, path: str, webhook_id: str, body: bytes) -> int:
        """Take one request; return the status that it is answered with."""
        said = json.loads(body)
        if path == "/hook":
            told = Told("hook", said["data"]["dedup_key"], ACTIONS[said["type"]], webhook_id)
        else:
            told = Told("pagerduty", said["dedup_key"], said["event_action"], "")
        with self._lock:
            luck = self._rng.random()
            if luck < REFUSED_SHARE:
                self.refused += 1
                return 503
            self.told.append(told)
        if luck > 1.0 - SLOW_SHARE:
            time.sleep(SLOW_S)  # taken, but the pager may be dead before it hears of it
        return 202

    def faults(self, incidents: int) -> dict[str, int]:
        """Return what is wrong when this many incidents were to be opened and resolved; all of it is to be 0."""
        messages = Counter((one.receiver, one.dedup_key, one.action) for one in self.told)
        keys = {one.dedup_key for one in self.told}
        ids: dict[tuple[str, str], set[str]] = {}
        for one in self.told:
            if one.id:
                ids.setdefault((one.dedup_key, one.action), set()).add(one.id)
        return {
            "notifications_lost": 4 * incidents - len(messages),
            "incidents_made_up": len(keys) - incidents,
            "repeats_with_new_id": sum(len(found) - 1 for found in ids.values()),
            "disordered": self._disordered(),
        }

    @property
    def repeats(self) -> int:
        """How many messages came again."""
        return len(self.told) - len({(one.receiver, one.dedup_key, one.action) for one in self.told})

    def _disordered(self) -> int:
        """Return how many triggers came after their resolve, and how many resolves before their trigger."""
        over: set[tuple[str, str]] = set()
        open_: set[tuple[str, str]] = set()
        wrong = 0
        for one in self.told:
            place = (one.receiver, one.dedup_key)
            if one.action == "trigger":
                wrong += place in over
                open_.add(place)
            else:
                wrong += place not in open_
                over.add(place)
        return wrong


@contextmanager
def listening(seed: int) -> Iterator[Receivers]:
    """Answer until the end of the block."""
    receivers = Receivers(seed)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:  # its sender was killed in the middle of it
                self.close_connection = True
                return
            status = receivers.take(self.path, self.headers.get("webhook-id", ""), body)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def handle(self) -> None:
            with suppress(ConnectionError):  # a killed pager's connections
                super().handle()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receivers.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receivers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
