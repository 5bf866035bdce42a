"""Edge. Where a worker's stores lie on disk: one folder a partition, one cache for all of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from stream.pending import RocksStore, open_cache
from stream.settings import SettingsError


class Stores:
    """Opens the stores under ``folder``; without one, under a temporary folder that ends with the process."""

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            self._temporary = _temporary()  # lives as long as this object
            folder = Path(self._temporary.name)
        self._folder = folder
        self._cache = open_cache()

    def cache_bytes(self) -> int:
        """Return what the shared cache of blocks holds now."""
        return self._cache.get_usage()

    def open(self, number: int) -> RocksStore:
        """Return the store of a partition.

        Raises:
            SettingsError: the folder can't be used, most often since another worker uses it.
        """
        try:
            return RocksStore(self._folder / f"partition-{number}", self._cache)
        except Exception as fault:  # rocksdict raises plain exceptions
            wanted = "want a folder that only this worker uses, on a disk that has room"
            raise SettingsError(
                f"settings: worker.data_dir {str(self._folder)!r}: {fault}; {wanted}"
            ) from fault


def _temporary() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="tidewatch-")
    except OSError as fault:
        wanted = "want a folder that only this worker uses, or TMPDIR to name one that can be written"
        raise SettingsError(f"settings: worker.data_dir none: {fault}; {wanted}") from fault
