"""Core. Who owns a model: glob patterns, the first match wins, and there is always a default owner."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from alerts.calendar import ROTA, QuietHours, Rota, Silence
from alerts.grouping import Grouping, Upstream
from alerts.objective import Objective

UNCLAIMED = "unclaimed"
"""Name of the default owner when nobody is configured."""


class Step(Struct, frozen=True, kw_only=True):
    """Who else is told when nobody has acknowledged ``after_s`` seconds after the first was told."""

    after_s: float
    receivers: tuple[str, ...]


class RollbackHook(Struct, frozen=True, kw_only=True):
    """Who takes back a version that was rolled out at most ``fresh_s`` seconds before the onset it is blamed for.

    ``automatic`` asks at once, else somebody has to. A request that was not accepted within ``give_up_s``
    seconds is not repeated: by then another version may serve. A ``dry_run`` sends nothing.
    """

    name: str
    automatic: bool = False
    dry_run: bool = False
    fresh_s: float = 3_600.0
    give_up_s: float = 600.0


class Owner(Struct, frozen=True, kw_only=True):
    """A team, the models it answers for, and the names of the receivers that reach it.

    Until somebody acknowledges, all who were told are told again every ``repeat_s`` (0: never), at most
    ``repeats`` times. In ``quiet`` hours nobody is told; after them, of what is still open. Where one of the
    ``objectives`` is about a model, it says how severe harm is.
    """

    name: str
    models: tuple[str, ...] = ("*",)
    receivers: tuple[str, ...] = ()
    escalation: tuple[Step, ...] = ()
    repeat_s: float = 0.0
    repeats: int = 5
    quiet: tuple[QuietHours, ...] = ()
    rollback: RollbackHook | None = None
    objectives: tuple[Objective, ...] = ()


class Owners(Struct, frozen=True, kw_only=True):
    """All owners and upstreams, in the order of the file, and the rules of grouping."""

    owners: tuple[Owner, ...] = ()
    default: Owner = Owner(name=UNCLAIMED)
    upstreams: tuple[Upstream, ...] = ()
    grouping: Grouping = Grouping()
    silences: tuple[Silence, ...] = ()
    rotas: Mapping[str, Rota] = {}
    hear_changes: frozenset[str] = frozenset()
    """The receivers that are told of rollouts."""
    known: frozenset[str] = frozenset()
    """All receivers that there are; empty: not to be asked."""

    def of(self, model: str) -> Owner:
        """Return the first owner with a pattern that matches ``model``, case included, or the default."""
        for owner in self.owners:
            if any(fnmatchcase(model, pattern) for pattern in owner.models):
                return owner
        return self.default

    def answering(self, name: str, model: str) -> Owner:
        """Return the owner with this name; when it is gone from the file, whoever the model belongs to now."""
        return self.named(name) if name in self.names() else self.of(model)

    def named(self, name: str) -> Owner:
        """Return the owner with this name; one that is gone from the file has no receivers."""
        found = (owner for owner in (*self.owners, self.default) if owner.name == name)
        return next(found, Owner(name=name, models=()))

    def on_duty(self, receivers: tuple[str, ...], at: float) -> tuple[str, ...]:
        """Return the receivers with every ``rota:NAME`` replaced by whoever has the turn ``at`` this instant."""
        found: list[str] = []
        for name in receivers:
            rota = self.rotas.get(name.removeprefix(ROTA)) if name.startswith(ROTA) else None
            found += rota.at(at) if rota is not None else [] if name.startswith(ROTA) else [name]
        return tuple(dict.fromkeys(found))

    def upstream_of(self, model: str) -> Upstream | None:
        """Return the first upstream that the model depends on or is, or ``None``."""
        return next((upstream for upstream in self.upstreams if upstream.feeds(model)), None)

    def objective_of(self, model: str) -> Objective | None:
        """Return the first objective of the model's owner that is about it, or ``None``."""
        return next((one for one in self.of(model).objectives if one.covers(model)), None)

    def names(self) -> tuple[str, ...]:
        """Return every owner's name, the default one last."""
        return tuple(dict.fromkeys([*(owner.name for owner in self.owners), self.default.name]))
