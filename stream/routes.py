"""Core. Which series of a version a prediction is in."""

from __future__ import annotations

from stream.series import Series


class Routes:
    """Which series a combination of slices leads to; derived, so never saved."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[bytes | tuple[str, ...], tuple[Series, ...]] = {}
        """By shape, the hash of which is worked out once, or by slices where there is none."""
