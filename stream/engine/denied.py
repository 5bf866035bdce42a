"""Shell. Says which right a process lacked, when it ends of that: aiokafka names only the topic, group or id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

LOG = structlog.get_logger()
_RIGHTS: Mapping[type[BaseException], str] = {
    GroupAuthorizationFailedError: "Read on the group",
    TopicAuthorizationFailedError: "Read or Write on the topic",
    TransactionalIdAuthorizationFailed: "Write on the transactional id",
}


def tell_denied(fault: BaseException | None) -> None:
    """Log the right that was lacking, if that is what the process ends of."""
    right = denied(fault)
    if right is not None:
        LOG.error("not allowed", right=right, meaning="Kafka denies it to this user: see docs/operations.md")


def denied(fault: BaseException | None) -> str | None:
    """Return the right whose lack made this fault, also when that is its cause; ``None``: it is about none."""
    for one in _causes(fault):
        for kind, right in _RIGHTS.items():
            if isinstance(one, kind):
                return " ".join((right, *_names(one.args)))
    return None


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
