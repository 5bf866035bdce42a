"""Edge. The tables of the owners file that say when: owners with their escalation, silences, rotas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import time
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, model_validator

from alerts.calendar import DAYS, Day, QuietHours, Silence
from alerts.feed import Feed
from alerts.ical import SureRota, read
from alerts.objective import DAY_S, Objective
from alerts.owners import Owner, RollbackHook, Step
from alerts.tables import Name, SecretUrl, Table

Pattern = Annotated[str, Field(min_length=1, max_length=200)]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError('want a zone of the IANA database, such as "Europe/Berlin"')
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]


def _is_local(at: time) -> time:
    if at.tzinfo is not None:
        raise ValueError("want a local time without an offset, such as 22:00:00; zone says where")
    return at


LocalTime = Annotated[time, AfterValidator(_is_local)]


class StepTable(Table):
    """``[[owner.escalation]]``."""

    after_s: Annotated[float, Field(gt=0)]
    receivers: Annotated[tuple[str, ...], Field(min_length=1)]


class QuietTable(Table):
    """``[[owner.quiet]]``."""

    start: LocalTime
    end: LocalTime
    zone: Zone = "UTC"
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = DAYS

    @model_validator(mode="after")
    def _ends(self) -> QuietTable:
        if self.start == self.end and set(self.days) == set(DAYS):
            raise ValueError("end: want another time than start, or fewer days: nobody would ever be told")
        return self


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
            escalation=tuple(Step(**one.model_dump()) for one in self.escalation),
            repeat_s=self.repeat_s,
            repeats=self.repeats,
            quiet=tuple(QuietHours(**one.model_dump()) for one in self.quiet),
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


class RotaTable(SecretUrl):
    """``[[rota]]``: whose turn it is, from an iCalendar whose events are named after receivers.

    It is read from ``file`` or fetched from ``url`` every ``refresh_s`` seconds; of what was fetched the last good
    copy is kept in ``copy_file``.
    """

    name: Name
    file: Path | None = None
    copy_file: Path | None = None
    refresh_s: Annotated[float, Field(ge=60, le=86_400)] = 300.0
    otherwise: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self, info: ValidationInfo) -> RotaTable:
        if self.file is not None:
            if self._has_url() or self.copy_file is not None:
                raise ValueError("want either of file, or url and copy_file")
            read(self.file)
        else:
            self.reveal_url(info.context or {})
            if self.copy_file is None or not self.copy_file.parent.is_dir():
                raise ValueError("copy_file: want a file in a folder that exists, for the last good copy")
        if not self.otherwise:
            raise ValueError("otherwise: want at least one receiver, for when it is nobody's turn")
        return self

    def _has_url(self) -> bool:
        return any(one is not None for one in (self.url, self.url_file, self.url_env))

    def build(self, receivers: Collection[str]) -> SureRota:
        """Return the rota among these receivers; one with a URL knows nothing yet."""
        return SureRota(receivers, self.otherwise, None if self.file is None else read(self.file))

    def feed(self, rota: SureRota, environ: Mapping[str, str]) -> Feed:
        """Return where the rota comes from; of one that is fetched with its last good copy taken."""
        if self.file is not None:
            return Feed(self.name, "", self.refresh_s, self.file, rota)
        assert self.copy_file is not None
        return Feed(self.name, self.reveal_url(environ), self.refresh_s, self.copy_file, rota).load()

    def turns(self) -> tuple[str, ...]:
        """Return every receiver that a file gives a turn to."""
        return () if self.file is None else read(self.file).names
