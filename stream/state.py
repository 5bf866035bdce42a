"""Edge. A monitor's state to bytes and back, with a schema number in front.

River's detectors have no other form than a pickle. Only the classes named here are ever loaded, so a record from
somebody else's hand can't run code.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from stream.monitor import Monitor

SCHEMA = b"1\n"

_ALLOWED = {
    ("builtins", "float"),
    ("builtins", "int"),
    ("builtins", "set"),
    ("functools", "partial"),
    ("collections", "Counter"),
    ("collections", "defaultdict"),
    ("collections", "deque"),
    ("stream.detectors", "Detector"),
    ("stream.events", "Finding"),
    ("stream.history", "History"),
    ("stream.monitor", "Monitor"),
    ("stream.series", "Series"),
}


class StateError(Exception):
    """The state was not written by a release that this one can read; the message says which schema it has."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED or module.startswith("river."):
            return super().find_class(module, name)
        raise StateError(f"state names {module}.{name}: want only classes of monitors")


def dump(monitor: Monitor) -> bytes:
    """Return the state's bytes."""
    return SCHEMA + pickle.dumps(monitor, protocol=5)


def load(value: bytes) -> Monitor:
    """Return the monitor that ``dump`` wrote.

    Raises:
        StateError: another schema, or bytes that no release wrote.
    """
    schema, newline, body = value.partition(b"\n")
    if schema + newline != SCHEMA:
        raise StateError(f"state schema {schema[:20]!r}: want {SCHEMA.strip()!r}")
    monitor = _Unpickler(io.BytesIO(body)).load()
    if not isinstance(monitor, Monitor):
        raise StateError(f"state holds a {type(monitor).__name__}: want a Monitor")
    return monitor
