"""Shell. Says what Kafka denied, refused or can't give to a process that ends of it: aiokafka names its error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from stream.engine.checkpoint import CheckpointError
from stream.engine.damaged import Damaged
from stream.engine.member import NameTaken

LOG = structlog.get_logger()
_GIVE_UP = (
    "have another copy of them read, or give up all before their end (docs/operations.md, Damaged records):"
    " kafka-delete-records.sh --bootstrap-server $BROKERS --offset-json-file with "
)
_NAME_TAKEN = (
    "another process has joined the group under this one's worker.instance, and has its partitions now: want"
    " a worker.instance of its own for each worker of a worker.group, or none"
)
_RIGHTS: Mapping[type[BaseException], str] = {
    GroupAuthorizationFailedError: "Read on the group",
    TopicAuthorizationFailedError: "Read or Write on the topic",
    TransactionalIdAuthorizationFailed: "Write on the transactional id",
}


_REFUSED: Mapping[type[BaseException], str] = {
    InvalidTimestampError: "Kafka took this machine's clock for too far from its own: set it right, and have the"
    " checkpoints and dead letters bear Kafka's (message.timestamp.type): tidewatch topics check tells how",
    MessageSizeTooLargeError: "Kafka takes no record as large as one of the checkpoint: tidewatch topics check"
    " tells a max.message.bytes that is too small",
}


def tell_denied(fault: BaseException | None) -> None:
    """Log what Kafka denied, refused or can't give, if that is what the process ends of."""
    right = denied(fault)
    if right is not None:
        LOG.error("not allowed", right=right, meaning="Kafka denies it to this user: see docs/operations.md")
    meaning = refused(fault)
    if meaning is not None:
        LOG.error("refused", meaning=meaning)
    if name_taken(fault):
        LOG.error("name taken", meaning=_NAME_TAKEN)
    _tell_damaged(list(_causes(fault)))


def denied(fault: BaseException | None) -> str | None:
    """Return the right whose lack made this fault, also when that is its cause; ``None``: it is about none."""
    for one in _causes(fault):
        for kind, right in _RIGHTS.items():
            if isinstance(one, kind):
                return " ".join((right, *_names(one.args)))
    return None


def refused(fault: BaseException | None) -> str | None:
    """Return what to do about a record that Kafka refused, if that made this fault."""
    found = (what for one in _causes(fault) for kind, what in _REFUSED.items() if isinstance(one, kind))
    return next(found, None)


def name_taken(fault: BaseException | None) -> bool:
    """Whether this fault is that another process has this one's name; of a join aiokafka keeps but the words."""
    return any(isinstance(one, NameTaken) or NameTaken.__name__ in str(one) for one in _causes(fault))


def _tell_damaged(causes: Sequence[BaseException]) -> None:
    """Log which records can't be read, if that is what the process ends of; a checkpoint's are not given up."""
    found = next((one for one in causes if isinstance(one, Damaged)), None)
    if found is None:
        return
    whole = next((one for one in causes if isinstance(one, CheckpointError)), None)
    if whole is None:
        LOG.error("damaged records", meaning=str(found), mend=_GIVE_UP + _deleting(found))
    else:
        LOG.error("damaged records", meaning=str(whole))


def _deleting(one: Damaged) -> str:
    place = {"topic": one.tp.topic, "partition": one.tp.partition, "offset": one.end}
    return json.dumps({"partitions": [place], "version": 1})


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    """Yield the fault and all that it came of, each once: Faust raises a crash's reason from itself."""
    waiting, seen = [fault], set[int]()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__context__, one.__cause__]


def _names(args: tuple[Any, ...]) -> list[str]:
    return sorted({name for one in args for name in ({one} if isinstance(one, str) else one)})
