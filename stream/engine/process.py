"""Shell. An engine's application as a process: it runs until a signal, and its stop has an end."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import faust
import structlog

from stream.engine.denied import tell_denied
from stream.engine.logs import library_logs, log_as_json
from stream.garbage import collect_seldom

LOG = structlog.get_logger()
STOP_S = 20.0
"""The longest that a stop may take: below the 30 s that Kubernetes leaves a process by default."""


def run(app: faust.App, *, started: Callable[[], None] | None = None) -> NoReturn:
    """Run the application until SIGTERM or SIGINT; exits 0 then, otherwise with the fault."""
    log_as_json()
    collect_seldom()
    if started is not None:
        started()
    worker = Worker(
        app, quiet=True, loglevel=logging.WARNING, logging_config=library_logs(), redirect_stdouts=False
    )
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    finally:
        tell_denied(worker.crash_reason)
    raise SystemExit(0)


class Worker(faust.Worker):
    """Faust's worker, whose stop has an end: a broker that is gone never acknowledges the last checkpoint."""

    def _schedule_shutdown(self, signal: Any) -> None:
        self._limit_stop()
        super()._schedule_shutdown(signal)

    def _crash(self, reason: BaseException) -> None:
        if not self.crashed:
            self._limit_stop()
        super()._crash(reason)

    def _limit_stop(self) -> None:
        timer = threading.Timer(STOP_S, self._give_up)
        timer.daemon = True
        timer.start()

    def _give_up(self) -> None:
        meaning = (
            f"Kafka acknowledged no last checkpoint within {STOP_S:g} s; what came since is folded again"
        )
        LOG.error("stopped without a checkpoint", meaning=meaning)
        tell_denied(self.crash_reason)  # last: it is what ends this process
        os._exit(1)
