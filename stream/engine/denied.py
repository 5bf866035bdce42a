"""Shell. Says what Kafka denied or refused to a process that ends of it: aiokafka names little but its error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

LOG = structlog.get_logger()
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
    """Log the right that was lacking, or what was refused, if that is what the process ends of."""
    right = denied(fault)
    if right is not None:
        LOG.error("not allowed", right=right, meaning="Kafka denies it to this user: see docs/operations.md")
    meaning = refused(fault)
    if meaning is not None:
        LOG.error("refused", meaning=meaning)


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
