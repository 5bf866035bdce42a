"""Edge. Addresses of brokers and names of topics, as settings give them."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

_BROKER: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^\s:/,\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def _broker(given: str) -> str:
    found = _BROKER.fullmatch(given)
    if found is None or not 0 < int(found["port"] or 9092) < 65_536:
        raise ValueError('want a host and its port, such as "kafka-1:9092"')
    return given


def _topic(given: str) -> str:
    if not _TOPIC.fullmatch(given) or given in (".", ".."):
        raise ValueError("want a name that Kafka takes: 1 to 249 letters, digits, dots, _ and -")
    return given


Broker = Annotated[str, AfterValidator(_broker)]
"""``host:port``; without a port Kafka's own is meant. An IPv6 address stands in brackets."""
Topic = Annotated[str, AfterValidator(_topic)]
