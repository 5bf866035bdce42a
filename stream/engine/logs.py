"""Shell. What a process says: one JSON object a line on stderr, also where a library says it."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import Processor

PATIENT_S = 10.0
"""A cluster's first group waits about a second until the brokers have made their topic of groups."""
AGAIN_S, MOST_WORDS = 30.0, 1_000
"""How long aiokafka is not heard that says the same again: while a broker is away that is 100 times a second."""
_EXCEPTIONS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
"""Without the variables of the frames: those hold passwords, tokens and URLs."""
_STAMPED: list[Processor] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso")]


def log_as_json() -> None:
    """Write structured logs to stderr, one JSON object a line, each in one write: processes may share a file."""
    structlog.configure(
        processors=[
            *_STAMPED,
            _EXCEPTIONS,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def library_logs() -> dict[str, Any]:
    """Return the configuration (of ``logging.config``) that brings libraries' warnings into the same form."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"patient": {"()": Patience}, "thin": {"()": Thinning}},
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [structlog.stdlib.add_logger_name, *_STAMPED],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _EXCEPTIONS,
                    structlog.processors.JSONRenderer(),
                ],
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["patient", "thin"]},
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
    }


class Patience(logging.Filter):
    """Holds back what aiokafka calls an error while a healthy cluster makes ready; it passes if that goes on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass everything but a group coordinator that is not there yet, and that after ``PATIENT_S`` too."""
        if "GroupCoordinatorNotAvailableError" not in record.getMessage():
            return True
        now = self._clock()
        if self._since is None:
            self._since = now
        return now - self._since > PATIENT_S


class Thinning(logging.Filter):
    """Passes what aiokafka says again and again once in ``AGAIN_S``, with how often it was said meanwhile."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass it if it was not said for a while; a traceback always."""
        if not record.name.startswith("aiokafka") or record.exc_info:
            return True
        now, words = self._clock(), record.getMessage()
        since, held = self._said.get(words, (float("-inf"), 0))
        if now - since < AGAIN_S:
            self._said[words] = since, held + 1
            return False
        if len(self._said) >= MOST_WORDS:
            self._said.clear()
        self._said[words] = now, 0
        if held:
            record.msg, record.args = f"{words} (and {held} times since that was last told)", ()
        return True
