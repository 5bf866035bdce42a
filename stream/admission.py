"""Edge. Which models an input partition takes: beyond ``worker.model_budget`` one that is new is refused.

A model takes memory for good, so a producer that puts an id into ``model`` would fill every worker that is given
its partition. Which models are judged depends on the order of their partition's predictions alone, whatever comes
in between: those of which only rollouts came are counted apart, up to as many again. Who is in stays in.
"""

from __future__ import annotations

from stream.engine.partition import Record
from stream.events import Event, Prediction, Rollout
from stream.refusal import DecodeError, Refusal, shown
from stream.rules import Rules
from stream.state import Head
from stream.wire import partition_for


class Admission:
    """The models of one partition. ``judged``: those with predictions, and where the first of each is.

    That is topic and offset, ``None`` if an older release took it in. ``rolled_out``: of these only rollouts came.
    """

    __slots__ = ("_budget", "_number", "_partitions", "judged", "rolled_out")

    def __init__(self, number: int, rules: Rules) -> None:
        self._number = number
        self._partitions = rules.partitions
        self._budget = rules.model_budget
        self.rolled_out: set[str] = set()
        self.judged: dict[str, tuple[str, int] | None] = {}

    def restore(self, model: str, head: Head) -> None:
        """Take back a model of a checkpoint; it stays in, whatever the budget is now."""
        if head.is_judged:
            self.judged[model] = head.first
        else:
            self.rolled_out.add(model)

    def is_home(self, model: str) -> bool:
        """Return whether the model's events belong to this partition."""
        return partition_for(model, self._partitions) == self._number

    def ask(self, event: Event, record: Record) -> DecodeError | None:
        """Take in the model of an event, which is not ``judged``; return why not, if there is no room for it.

        An outcome is let through: its model's prediction may still come, and alone it makes no monitor.
        """
        if isinstance(event, Prediction):
            if len(self.judged) >= self._budget:
                return self._full(event.model, f"one of the {len(self.judged)} models of this partition")
            self.judged[event.model] = record.topic, record.offset
            self.rolled_out.discard(event.model)
        elif isinstance(event, Rollout) and event.model not in self.rolled_out:
            if len(self.rolled_out) >= self._budget:
                return self._full(event.model, "a model with predictions")
            self.rolled_out.add(event.model)
        return None

    def _full(self, model: str, wanted: str) -> DecodeError:
        room = f"there is no room for another (worker.model_budget {self._budget})"
        return DecodeError(Refusal.TOO_MANY_MODELS, "model", shown(model), f"{wanted}: {room}")

    def was_refused(self, event: Prediction, record: Record) -> bool:
        """Return whether a prediction from before the checkpoint was refused: its model was not in yet."""
        if event.model not in self.judged:
            return True
        first = self.judged[event.model]
        return first is not None and first[0] == record.topic and record.offset < first[1]
