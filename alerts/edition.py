"""Shell. Looks whether the owners file is still the one that was read, and whether a start would take it.

The file is read at the start only. So one that was changed is not in use, and a faulty one lies there until the
next start, which it keeps from paging anybody: both are told before.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from alerts.config import OwnersError, edition_of
from alerts.secret import SECRETS, named_files
from alerts.telemetry import Telemetry

log = structlog.get_logger("tidewatch.pager")
LOOK_S = 5.0
GONE = "gone"


class Edition:
    """The file at ``path``; its edition ``used`` is in use. ``check`` raises OwnersError for one that can't be."""

    def __init__(self, path: Path, used: str, check: Callable[[], object], telemetry: Telemetry) -> None:
        self._path = path
        self._used = used
        self._check = check
        self._telemetry = telemetry
        self._seen = self._told = ("", "")
        self._content = b""
        self._secrets: Sequence[Path] = ()
        self._rotas: Sequence[Path] = ()
        self._is_other = self._is_faulty = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Tell of an edition once it was seen twice: whoever writes it may need more than one step."""
        before, self._seen = self._seen, self._found()
        if self._seen != before or self._seen == self._told:
            return
        self._told = self._seen
        faults, were = self._faults(), (self._is_other, self._is_faulty)
        self._is_other, self._is_faulty = self._seen[0] != self._used, bool(faults)
        self._telemetry.owners_changed.set(self._is_other)
        self._telemetry.owners_unusable.set(self._is_faulty)
        if faults:
            log.error("owners file can't be used: a pager that starts now pages nobody", faults=faults)
        elif self._is_other:
            log.warning("owners file or a secret was changed: what was read is in use until the next start")
        elif any(were):
            log.info("owners file and secrets are again those in use")

    def _found(self) -> tuple[str, str]:
        """Return the edition, and one of the rotas' files: those are read again, but a start may fail at them."""
        try:
            content = self._path.read_bytes()
        except OSError as fault:
            return f"{GONE}: {fault.strerror}", ""
        if content != self._content:
            self._read(content)
        return edition_of(content, self._secrets), edition_of(content, self._rotas)

    def _read(self, content: bytes) -> None:
        """Learn which files it names: a large one takes too long for each look."""
        self._content = content
        try:
            said = tomllib.loads(content.decode())
        except (UnicodeDecodeError, tomllib.TOMLDecodeError):
            said = {}
        self._secrets, self._rotas = [*named_files(said, SECRETS)], [*named_files(said, {"file"})]

    def _faults(self) -> list[str]:
        try:
            self._check()
        except OwnersError as faults:
            return str(faults).splitlines()
        except Exception as fault:
            # what nobody thought of would end a start too, but must not end this pager
            return [type(fault).__name__]
        return []
