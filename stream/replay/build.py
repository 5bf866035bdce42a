"""Edge. References from history: losses of every model and slice, in the order of their joins, and its inputs."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from stream.aspect import Case
from stream.aspect_known import Recorded
from stream.events import ALL, Outcome, Prediction, Task
from stream.join import Join
from stream.joined import Joined, Reason
from stream.judge.known import Known, References, known_of
from stream.pending import MemoryStore
from stream.reference import Reference
from stream.reference_known import inputs_of, record
from stream.refusal import DecodeError
from stream.replay.source import FOREVER, Line
from stream.series import is_comparable, loss_of, task_of
from stream.wire import Tolerance, read_event

EXPIRED = 2_000


class History:
    """Losses by model and slice, and how many lines could not be read."""

    def __init__(self, label_horizon_s: float, tolerance: Tolerance = FOREVER) -> None:
        self._tolerance = tolerance
        self._store = MemoryStore()
        self._join = Join(label_horizon_s, 50_000_000, self._store, 1 << 60)
        self._losses: dict[tuple[str, str, Task], array[float]] = {}
        self._aspects: defaultdict[tuple[str, Task], Recorded] = defaultdict(Recorded)
        self._inputs: defaultdict[str, Reference] = defaultdict(Reference)
        self.refused = 0

    def read(self, found: Iterable[Line]) -> None:
        """Take all lines; corrected outcomes count as they came first."""
        for number, line in enumerate(found, 1):
            event, _ = read_event(line.value, line.headers, line.timestamp / 1000.0, self._tolerance)
            if isinstance(event, DecodeError):
                self.refused += 1
            elif isinstance(event, Prediction):
                results = self._join.predict(event)
                if results[0].reason is not Reason.DUPLICATE_PREDICTION:
                    record(self._inputs[event.model], event)
                self._take(results)
            elif isinstance(event, Outcome):
                self._take(self._join.know(event))
            if not number % EXPIRED:
                self._forget()

    def _forget(self) -> None:
        """Give up what is due, and put the rest where the store keeps it: only from there it is forgotten."""
        join = self._join
        is_behind = True
        while is_behind:
            for _ in join.expire():
                pass
            is_behind = join.is_behind
        changes = join.freeze()
        self._store.write(changes, {})
        join.written(changes)

    def _take(self, results: Iterable[Joined]) -> None:
        for joined in results:
            served, outcome = joined.served, joined.outcome
            if joined.reason is not Reason.MATCHED or served is None or outcome is None:
                continue
            task = task_of(served)
            if is_comparable(task, served.prediction, outcome):
                loss = loss_of(task, served.prediction, outcome)
                for name in served.slices:
                    self._losses.setdefault((served.model, name, task), array("d")).append(loss)
                case = Case(served.at, served.prediction_id, 1.0, 0.0)
                self._aspects[served.model, task].take(task, served.prediction, outcome, served.scores, case)

    def references(self, fewest: int) -> References:
        """Return the references of all series with at least ``fewest`` losses."""
        found: dict[str, dict[str, Known]] = {}
        for model, name, task in self._losses:
            losses = self._losses[model, name, task]
            if len(losses) >= fewest:
                known = known_of(task, losses)
                if name == ALL:
                    beside = self._aspects[model, task].known(task, fewest)
                    known = replace(known, beside=beside, inputs=inputs_of(self._inputs[model]))
                found.setdefault(model, {})[name] = known
        return found

    def series(self) -> Iterator[tuple[str, str, int]]:
        """Yield model, slice and how many losses."""
        for (model, name, _), losses in self._losses.items():
            yield model, name, len(losses)
