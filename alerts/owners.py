"""Core. Who owns a model: glob patterns, the first match wins, and there is always a default owner."""

from __future__ import annotations

from fnmatch import fnmatchcase

from msgspec import Struct

UNCLAIMED = "unclaimed"
"""Name of the default owner when nobody is configured."""


class Owner(Struct, frozen=True, kw_only=True):
    """A team, the models it answers for, and the names of the receivers that reach it."""

    name: str
    models: tuple[str, ...] = ("*",)
    receivers: tuple[str, ...] = ()


class Owners(Struct, frozen=True, kw_only=True):
    """All owners, in the order of the file."""

    owners: tuple[Owner, ...] = ()
    default: Owner = Owner(name=UNCLAIMED)

    def of(self, model: str) -> Owner:
        """Return the first owner with a pattern that matches ``model``, case included, or the default."""
        for owner in self.owners:
            if any(fnmatchcase(model, pattern) for pattern in owner.models):
                return owner
        return self.default

    def names(self) -> tuple[str, ...]:
        """Return every owner's name, the default one last."""
        return tuple(dict.fromkeys([*(owner.name for owner in self.owners), self.default.name]))
