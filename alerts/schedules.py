"""Edge. The tables of the owners file that say when: owners with their escalation, silences, rotas."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from alerts.calendar import QuietHours, Silence
from alerts.ical import IcalRota, read, summaries
from alerts.objective import DAY_S, Objective
from alerts.owners import Owner, RollbackHook, Step
from alerts.tables import Name, Table

Pattern = Annotated[str, Field(min_length=1, max_length=200)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError('want a zone of the IANA database, such as "Europe/Berlin"')
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]


class StepTable(Table):
    """``[[owner.escalation]]``."""

    after_s: Annotated[float, Field(gt=0)]
    receivers: Annotated[tuple[str, ...], Field(min_length=1)]


class QuietTable(Table):
    """``[[owner.quiet]]``."""

    start: time
    end: time
    zone: Zone = "UTC"
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ObjectiveTable(Table):
    """``[[owner.objective]]``."""

    accuracy: Annotated[float, Field(gt=0, lt=1)]
    models: Annotated[tuple[Pattern, ...], Field(min_length=1)] = ("*",)
    period_s: Annotated[float, Field(ge=DAY_S, le=90 * DAY_S)] = 30 * DAY_S

    @model_validator(mode="after")
    def _can_page(self) -> ObjectiveTable:
        if not self.build().can_page():
            raise ValueError(
                "period_s: want a shorter one; with this nobody is paged if all outcomes are wrong"
            )
        return self

    def build(self) -> Objective:
        """Return the objective."""
        return Objective(**self.model_dump())


class DefaultOwnerTable(Table):
    """``[default_owner]``: whoever answers for models that nobody claims."""

    name: Name
    receivers: tuple[str, ...] = ()
    escalation: tuple[StepTable, ...] = ()
    repeat_s: Annotated[float, Field(ge=0)] = 0.0
    repeats: Annotated[int, Field(ge=0, le=100)] = 5
    quiet: tuple[QuietTable, ...] = ()
    objective: tuple[ObjectiveTable, ...] = ()
    rollback: str | None = None

    @model_validator(mode="after")
    def _steps_rise(self) -> DefaultOwnerTable:
        waits = [step.after_s for step in self.escalation]
        if waits != sorted(set(waits)):
            raise ValueError("escalation: want each step's after_s larger than the one before")
        return self

    def build(self, hooks: Mapping[str, RollbackHook], models: tuple[str, ...] = ("*",)) -> Owner:
        """Return the owner of these models, with its hook among ``hooks``."""
        return Owner(
            name=self.name,
            models=models,
            receivers=self.receivers,
            escalation=tuple(Step(after_s=one.after_s, receivers=one.receivers) for one in self.escalation),
            repeat_s=self.repeat_s,
            repeats=self.repeats,
            quiet=tuple(
                QuietHours(start=one.start, end=one.end, zone=one.zone, days=one.days) for one in self.quiet
            ),
            rollback=hooks.get(self.rollback or ""),
            objectives=tuple(one.build() for one in self.objective),
        )


class OwnerTable(DefaultOwnerTable):
    """``[[owner]]``."""

    models: Annotated[tuple[Pattern, ...], Field(min_length=1)]


class SilenceTable(Table):
    """``[[silence]]``: trouble that is expected, with who says so, why and until when."""

    name: Name
    author: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    model: Pattern = "*"
    version: Pattern = "*"
    slice: Pattern = "*"
    metric: Pattern = "*"

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> SilenceTable:
        if self.ends_at <= self.starts_at:
            raise ValueError("ends_at: want an instant after starts_at")
        return self

    def build(self) -> Silence:
        """Return the silence."""
        fields = self.model_dump()
        fields |= {"starts_at": self.starts_at.timestamp(), "ends_at": self.ends_at.timestamp()}
        return Silence(**fields)


class RotaTable(Table):
    """``[[rota]]``: whose turn it is, from an iCalendar file whose events are named after receivers."""

    name: Name
    file: Path

    @model_validator(mode="after")
    def _is_readable(self) -> RotaTable:
        self.build()
        return self

    def build(self) -> IcalRota:
        """Return the rota."""
        return IcalRota(read(self.file))

    def turns(self) -> tuple[str, ...]:
        """Return every receiver that has a turn."""
        return summaries(read(self.file))
