"""Edge. The monitors of one partition by model; those that were restored stay bytes until they are asked for.

Making them takes most of a restore of thousands of models, and most of these have no event for a while.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from stream import state
from stream.cohorts import expect
from stream.monitor import Monitor


class Monitors(MutableMapping[str, Monitor]):
    """In the order in which they came; to ask for one makes it, and so does a walk through all of them.

    Raises:
        MonitorStateError: at a restore, or when a monitor is made: its record is damaged, or has another schema.
    """

    __slots__ = ("_all", "_label_horizon_s", "_number")

    def __init__(self, number: int, label_horizon_s: float) -> None:
        self._all: dict[str, Monitor | bytes] = {}
        self._number, self._label_horizon_s = number, label_horizon_s

    def restore(self, model: str, record: bytes) -> state.Head:
        """Take a checkpoint's record; return what is known of its monitor at once."""
        try:
            head = state.read_head(record)
        except state.MonitorStateError as fault:
            raise self._fault(model, fault) from fault
        self._all[model] = record
        return head

    def __getitem__(self, model: str) -> Monitor:
        found = self._all[model]
        if type(found) is bytes:
            found = self._all[model] = self._made(model, found)
        return found  # type: ignore[return-value]

    def __setitem__(self, model: str, monitor: Monitor) -> None:
        self._all[model] = monitor

    def __delitem__(self, model: str) -> None:
        del self._all[model]

    def __contains__(self, model: object) -> bool:
        return model in self._all

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def _made(self, model: str, record: bytes) -> Monitor:
        try:
            monitor = state.load(record)
        except state.MonitorStateError as fault:
            raise self._fault(model, fault) from fault
        monitor.label_horizon_s = self._label_horizon_s
        expect(monitor.versions, self._label_horizon_s)
        return monitor

    def _fault(self, model: str, fault: Exception) -> state.MonitorStateError:
        return state.MonitorStateError(f"partition {self._number}, model {model!r}: {fault}")
