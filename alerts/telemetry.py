"""Shell. Every Prometheus metric of the pager: name, help, unit and labels, in this one place.

All label values that the configuration names start at zero. What the book holds is read at each scrape.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerts.answer import Accepted, Answer, Gone, Refused
from alerts.book import IncidentBook
from alerts.incident import ACTIONS, STATES, Action
from alerts.outbox import Digest, Leaving, parts
from alerts.reason import Reason
from stream.refusal import Refusal

RESULTS = ("sent", "failed")
OTHERS: tuple[Action, ...] = ("rollback", "change", "digest")
OF_EVENTS = {Refusal.ABSURD_TIME, Refusal.TOO_MANY_MODELS}
REFUSED = tuple(one for one in Refusal if one not in OF_EVENTS)  # no finding is refused for its time or model
ATTEMPTS = ("accepted", "timeout", "network")
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class Telemetry:
    """The pager's own metrics, registered in ``registry``."""

    def __init__(
        self, registry: CollectorRegistry, receivers: Sequence[str], rotas: Sequence[str] = ()
    ) -> None:
        self._count_findings(registry)
        self._measure_delivery(registry)
        self._watch_rotas(registry, rotas)
        self._watch_owners_file(registry)
        self._start_at_zero(receivers)

    def _count_findings(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "tidewatch_findings_received", "Findings taken from the findings topic.", registry=registry
        )
        self.refused = Counter(
            "tidewatch_findings_refused",
            "Records on the findings topic that are no findings, by reason.",
            ["reason"],
            registry=registry,
        )
        self.triaged = Counter(
            "tidewatch_findings_triaged",
            "What became of findings; one finding may have several reasons.",
            ["reason"],
            registry=registry,
        )

    def _measure_delivery(self, registry: CollectorRegistry) -> None:
        self.notifications = Counter(
            "tidewatch_notifications",
            "Notifications that came to an end: accepted by the receiver, or refused for good.",
            ["receiver", "action", "result"],
            registry=registry,
        )
        self.attempts = Counter(
            "tidewatch_notification_attempts",
            "Attempts to send, by how they ended.",
            ["receiver", "reason"],
            registry=registry,
        )
        self.circuit = Gauge(
            "tidewatch_receiver_circuit_open",
            "1 while a receiver failed so often in a row that it is left alone.",
            ["receiver"],
            registry=registry,
        )
        self.overdue = Gauge(
            "tidewatch_notifications_overdue",
            "Notifications that their receiver hasn't got within five minutes.",
            registry=registry,
        )
        self.heartbeats = Counter(
            "tidewatch_heartbeats", "Heartbeats sent, by how they ended.", ["reason"], registry=registry
        )
        self.page_latency = Histogram(
            "tidewatch_page_latency_seconds",
            "From the Kafka timestamp of the event that proved the harm until its page was accepted.",
            buckets=SECONDS,
            registry=registry,
        )

    def _watch_rotas(self, registry: CollectorRegistry, rotas: Sequence[str]) -> None:
        self.refreshes = Counter(
            "tidewatch_rota_refreshes",
            "Attempts to fetch or read a rota, by how they ended.",
            ["rota", "reason"],
            registry=registry,
        )
        self.rota_fetched_at = Gauge(
            "tidewatch_rota_fetched_timestamp_seconds",
            "When a rota was fetched or read last, epoch seconds; 0: not since the start.",
            ["rota"],
            registry=registry,
        )
        for rota in rotas:
            self.refreshes.labels(rota, "fetched")
            self.rota_fetched_at.labels(rota)

    def _watch_owners_file(self, registry: CollectorRegistry) -> None:
        self.owners_changed = Gauge(
            "tidewatch_owners_file_changed",
            "1 while the owners file, or a secret's file that it names, is another than was read at the start.",
            registry=registry,
        )
        self.owners_unusable = Gauge(
            "tidewatch_owners_file_unusable",
            "1 while the owners file, or a file that it names, is one that no pager would start with.",
            registry=registry,
        )

    def _start_at_zero(self, receivers: Sequence[str]) -> None:
        for refusal in REFUSED:
            self.refused.labels(refusal)
        for became in Reason:
            self.triaged.labels(became.value)
        self.heartbeats.labels("accepted")
        for receiver in receivers:
            self.circuit.labels(receiver)
            for reason in ATTEMPTS:
                self.attempts.labels(receiver, reason)
            for action in (*ACTIONS, *OTHERS):
                for result in RESULTS:
                    self.notifications.labels(receiver, action, result)

    def attempted(self, leaving: Leaving, answer: Answer, now: float) -> float | None:
        """Count one attempt; return the most seconds from proof to ``now`` of the pages accepted by it."""
        receiver = leaving.notification.receiver
        self.attempts.labels(receiver, answer.reason).inc()
        if isinstance(answer, Accepted | Refused | Gone):
            self._ended(leaving, "sent" if isinstance(answer, Accepted) else "failed")
        if not isinstance(answer, Accepted):
            return None
        proofs = [due.proven_at for due in parts(leaving) if due.notification.action == "trigger"]
        latencies_s = [max(0.0, now - proven_at) for proven_at in proofs if proven_at is not None]
        for latency_s in latencies_s:
            self.page_latency.observe(latency_s)
        return max(latencies_s, default=None)

    def _ended(self, leaving: Leaving, result: str) -> None:
        """Count each notification that came to an end, and the digest that they left in."""
        for due in (leaving, *parts(leaving)) if isinstance(leaving, Digest) else (leaving,):
            self.notifications.labels(due.notification.receiver, due.notification.action, result).inc()


class BookFigures(Collector):
    """What the book holds, read at each scrape; ``book`` answers ``None`` while another pager has it.

    One that is in doubt is shown: a moment without what waits would quieten the alert of it for minutes.
    """

    def __init__(
        self, book: Callable[[], IncidentBook | None], owners: Sequence[str], receivers: Sequence[str]
    ) -> None:
        self._book = book
        self._owners = owners
        self._receivers = receivers

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: the values are known only at a scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield incidents by owner and state, and notifications that wait by receiver."""
        book = self._book()
        held = Tally({(owner, state): 0 for owner in self._owners for state in STATES})
        waiting = Tally(dict.fromkeys(self._receivers, 0))
        if book is not None:
            held.update((incident.owner, incident.state) for incident in book.incidents())
            waiting.update(notification.receiver for notification in book.pending())
            waiting.update(change.notification.receiver for change in book.changes())
        incidents = GaugeMetricFamily(
            "tidewatch_incidents",
            "Incidents that this pager remembers, by owner and state; old resolved ones are forgotten.",
            labels=["owner", "state"],
        )
        for (owner, state), count in sorted(held.items()):
            incidents.add_metric([owner, state], count)
        pending = GaugeMetricFamily(
            "tidewatch_notifications_pending",
            "Notifications that their receiver has not accepted yet.",
            labels=["receiver"],
        )
        for receiver, count in sorted(waiting.items()):
            pending.add_metric([receiver], count)
        yield incidents
        yield pending
