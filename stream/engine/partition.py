"""Core. What the engine asks of a fold: one object per input partition, pure, without clock or socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

Header = tuple[str, bytes]
MARKER = b"tidewatch.offsets"
"""Key of the engine's own record in a checkpoint: no state record may have it."""


class Record(Protocol):
    """One Kafka record; ``timestamp`` is epoch milliseconds."""

    @property
    def topic(self) -> str:
        """Topic name."""
        ...

    @property
    def partition(self) -> int:
        """Partition number."""
        ...

    @property
    def offset(self) -> int:
        """Offset."""
        ...

    @property
    def timestamp(self) -> int:
        """Epoch milliseconds; -1 when Kafka has none."""
        ...

    @property
    def key(self) -> bytes | None:
        """Key bytes."""
        ...

    @property
    def value(self) -> bytes | None:
        """Value bytes."""
        ...

    @property
    def headers(self) -> Sequence[Header]:
        """Headers, in order."""
        ...


class Output(NamedTuple):
    """A record to write; ``partition=None`` lets the key decide (Kafka's murmur2)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    partition: int | None = None
    timestamp: int | None = None
    """Epoch milliseconds; ``None``: when it is sent."""

    @property
    def size(self) -> int:
        """Return the bytes of key, value and headers, without their names."""
        headers = sum(len(value or b"") for _, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


class Flush(NamedTuple):
    """What one checkpoint writes in one transaction, besides the input offsets."""

    outputs: Sequence[Output]
    state: Iterable[tuple[bytes, bytes | None]]
    """State changed since the last freeze, as it was then, made while it is read; ``None`` deletes the key."""


class Partition(Protocol):
    """One input partition's live state.

    The engine calls ``restore`` for every state record of the checkpoint, then ``rebuild`` with input records
    older than the checkpoint (scoring off), then ``apply`` with each fetched batch, one call at a time. Between
    ``freeze`` and the end of ``committed`` further batches are applied; what ``Flush.state`` yields must not show
    them. A crash rolls all of it back to the last ``committed``.
    """

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the outputs that wait for the next ``freeze``."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether what was applied makes more work than was done: it is applied nothing until that is over."""
        ...

    def restore(self, key: bytes, value: bytes) -> None:
        """Take back one state record written by a checkpoint."""
        ...

    def local(self) -> Mapping[str, int]:
        """Return, by topic, the offsets that this process's own disk includes of the unsaved state; or empty."""
        ...

    def forget_local(self) -> None:
        """Forget what is on the disk: it does not fit the checkpoint."""
        ...

    def rebuild_since(self) -> float | None:
        """Return the epoch second from which inputs must be re-read to derive unsaved state, or ``None``."""
        ...

    def rebuild(self, records: Sequence[Record]) -> bool:
        """Derive unsaved state from records below the checkpoint's offsets; nothing is counted or sent.

        Return whether more follows from them: none are given until that is over. None come last in any case, since
        a disk that has all of them may lack what came of them until the checkpoint.
        """
        ...

    def apply(self, records: Sequence[Record]) -> bool:
        """Fold one batch of one topic; return whether its outputs are urgent (a page waits for them)."""
        ...

    def freeze(self, offsets: Mapping[str, int]) -> Flush:
        """Return the outputs and changed state since the last freeze; it includes the inputs below ``offsets``."""
        ...

    def rewrite(self) -> None:
        """Learn that what checkpoints have written is gone: the next ``freeze`` is to return all state."""
        ...

    def committed(self) -> Iterable[None]:
        """Learn that all of the last freeze is durable: now the outside world may see it.

        What is returned does the work that this makes, a little with each step; batches may be applied in between,
        and the next ``freeze`` comes after its end.
        """
        ...

    def caught_up(self) -> None:
        """Learn, once after each takeover, ``suspend`` or ``look_again``, that what the inputs had then is folded.

        It need not be durable yet. What an open transaction hid at that time is not waited for.
        """
        ...

    def suspend(self) -> None:
        """Learn that another process may own the partition by now: show nothing until the next ``committed``."""
        ...

    def close(self) -> None:
        """Learn that the partition is taken away; nothing done from here on counts."""
        ...


class PartitionFactory(Protocol):
    """Makes the empty state of one partition; ``urge()`` asks the engine for a checkpoint soon."""

    def __call__(self, number: int, urge: Callable[[], None]) -> Partition:
        """Return the empty state."""
        ...
