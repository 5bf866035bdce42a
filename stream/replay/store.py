"""Edge. Where a replay keeps the join: in memory, with little work for what a write leaves as it is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from itertools import groupby

from stream.entries import Changes
from stream.pending import MemoryStore


class SpilledStore(MemoryStore):
    """A ``MemoryStore`` that rewrites only the stretches of its records in which a write changes any."""

    def write(self, changes: Changes, offsets: Mapping[str, int]) -> None:
        """Take over the changes and the offsets that they bring it to."""
        entries = self.entries
        for key, value in changes.entries:
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        records = self.records
        for gone in _by_kind(sorted(changes.gone)):
            first, end = bisect_left(records, gone[0]), bisect_right(records, gone[-1])
            records[first:end] = _without(gone, records[first:end])
        for new in _by_kind(changes.records):
            first, end = bisect_left(records, new[0]), bisect_right(records, new[-1])
            records[first:end] = sorted([*_without(new, records[first:end]), *new])
        self._offsets, self._position = dict(offsets), changes.position


def _without(some: list[bytes], records: list[bytes]) -> list[bytes]:
    absent = {*some}
    return [one for one in records if one not in absent]


def _by_kind(records: Iterable[bytes]) -> list[list[bytes]]:
    """Return sorted records as one list for each kind, which is their first byte."""
    return [[*found] for _, found in groupby(records, lambda one: one[:1])]
