"""Edge. What a fold has to write: told facts, forwarded records, dead letters, until a checkpoint takes them."""

from __future__ import annotations

from stream.dead_letter import HEADERS_BYTES, dead_letter, headers_bytes
from stream.engine.partition import Output, Record
from stream.events import Errors, Finding, Rollout
from stream.refusal import DecodeError, Refusal
from stream.rules import Rules
from stream.tally import Tally
from stream.wire import encode, partition_for


class Outputs:
    """The outputs of one partition; ``size`` are their bytes, ``urgent`` how many are no dead letters."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._waiting: list[Output] = []
        self.size = self.urgent = 0

    def tell(self, fact: Finding | Errors | Rollout) -> None:
        """Write a fact to the topic that the pager reads."""
        self._add(Output(self._rules.findings, fact.model.encode(), encode(fact)))

    def forward(self, record: Record, model: str, source: str, tally: Tally) -> None:
        """Send a record that a foreign partitioner put here to where its model lives."""
        if (size := headers_bytes(record.headers)) > HEADERS_BYTES:  # its topic took them, but compressed
            wanted = f"at most {HEADERS_BYTES} bytes of a record to be forwarded"
            self.refuse(record, DecodeError(Refusal.OVERSIZE, "headers", f"of {size} bytes", wanted), tally)
            return
        tally.misrouted.append(source or "unknown")
        home = partition_for(model, self._rules.partitions)
        self._add(
            Output(record.topic, model.encode(), record.value, [*record.headers], home, record.timestamp)
        )

    def refuse(self, record: Record, fault: DecodeError, tally: Tally) -> None:
        """Keep a record that can't be read, with the reason."""
        tally.refused.append(fault.reason)
        self._add(dead_letter(record, fault, self._rules.dead_letters))

    def _add(self, out: Output) -> None:
        self._waiting.append(out)
        self.size += out.size
        self.urgent += out.topic != self._rules.dead_letters

    def take(self) -> list[Output]:
        """Return all, and begin anew."""
        taken, self._waiting, self.size, self.urgent = self._waiting, [], 0, 0
        return taken
