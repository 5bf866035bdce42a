"""Shell. The demo's worker and pager: real processes that die with the demo, their logs in files."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from socket import socket

from stream.kafka.guard import die_with_parent
from stream.variables import without_settings

GRACE_S = 8.0


class Failed(Exception):
    """A part of the demo did not do its work; the message has the tail of its log."""


def free_port() -> int:
    """Return a loopback port that nobody listens on at the moment."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def total(page: str | None, name: str) -> float:
    """Return the sum of a metric's samples on a page; 0 when there are none, nan when there is no page."""
    if page is None:
        return float("nan")
    heads = (f"{name}{{", f"{name} ")
    return sum((float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(heads)), 0.0)


class Child:
    """One ``tidewatch`` command in a process group of its own; its settings are those of ``environment`` alone."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path, port: int) -> None:
        self.name = name
        self.port = port
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stream", name],
                env={**without_settings(os.environ), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # a killed demo must leave nothing behind
            )

    async def ready(self, within_s: float = 60.0) -> None:
        """Return when it owns its partitions.

        Raises:
            Failed: it ended, or was not ready in time.
        """
        for _ in range(int(within_s / 0.2)):
            self.check()
            if await asyncio.to_thread(self.get, "/readyz") is not None:
                return
            await asyncio.sleep(0.2)
        raise Failed(f"{self.name} was not ready within {within_s:.0f} s; the end of its log:\n{self.tail()}")

    def get(self, path: str) -> str | None:
        """Return the page's text; ``None`` when it is not served or not well."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return None

    async def figure(self, name: str) -> float:
        """Return the sum of a metric's samples, or one with its labels, as ``total`` does."""
        return total(await asyncio.to_thread(self.get, "/metrics"), name)

    def check(self) -> None:
        """Raise ``Failed`` when the process has ended."""
        if self.process.poll() is not None:
            raise Failed(
                f"{self.name} ended with {self.process.returncode}; the end of its log:\n{self.tail()}"
            )

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-3_000:]

    def stop(self) -> None:
        """End the process group: ask first, then kill."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
