"""Edge. Settings from the environment first, then from a TOML file, then defaults; every fault at once.

``TIDEWATCH_KAFKA_BROKERS=a:9092,b:9092`` is ``[kafka] brokers = ["a:9092", "b:9092"]``. The file is named by
``--config`` or ``TIDEWATCH_CONFIG``. See ``docs/settings.md`` for the whole list.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as EnvironmentFault

from stream.addresses import Broker, Topic
from stream.judge.objective import Objective
from stream.objectives import Objectives
from stream.setting_faults import described, sections_of, unparsed
from stream.setting_sources import Environment, File
from stream.variables import FILE, PREFIX, passed_over

if TYPE_CHECKING:
    from stream.wire import Tolerance


class SettingsError(ValueError):
    """The settings can't be used; the message lists every fault. Mend them and start again."""


class FileCheck(NamedTuple):
    """How ``tidewatch validate`` reads one kind of file that a setting names.

    ``tables`` are the top-level tables that only such a file has. ``read(path)`` returns what is worth saying of a
    right file, a line each, and raises SettingsError with every fault of a wrong one.
    """

    tables: Collection[str]
    read: Callable[[Path], Sequence[str]]
    opening: str = ""
    """What such a file begins with, if it has no tables."""


def read_secret(name: str, path: Path) -> str:
    """Return the secret in the file that the setting ``name`` names, without line ends after it.

    Raises:
        SettingsError: the file can't be read or is not UTF-8; never says what is in it.
    """
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "not UTF-8 text"
        raise SettingsError(f"{name} {str(path)!r}: {reason}") from None


def _password(given: SecretStr | None, path: Path | None) -> str | None:
    if given is not None:
        return given.get_secret_value()
    return None if path is None else read_secret("sasl_password_file", path)


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


TOPICS = ("predictions", "outcomes", "rollouts", "checkpoints", "findings", "incidents", "dead_letters")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class KafkaSettings(_Section):
    """How to reach the cluster."""

    brokers: Annotated[tuple[Broker, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)] = (
        "localhost:9092",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: Annotated[Path | None, Field(validate_default=True)] = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    client_id: Annotated[str, Field(min_length=1)] = "tidewatch"
    startup_timeout_s: Annotated[float, Field(ge=0)] = 120.0
    session_timeout_s: Annotated[float, Field(ge=1, le=60)] = 10.0

    @field_validator("sasl_password_file")
    @classmethod
    def _sasl_needs_a_user(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        """Want a user and a password; asked of a field: a section is asked only when all its fields are right."""
        known = info.data
        protocol = known.get("security_protocol", "")
        if protocol.startswith("SASL") and known.keys() >= {"sasl_username", "sasl_password"}:
            user, password = known["sasl_username"], _password(known["sasl_password"], path)
            if not (user and password):
                raise ValueError(f"security_protocol {protocol}: want sasl_username and sasl_password(_file)")
        return path

    def password(self) -> str | None:
        """Return the SASL password from the value or its file; ``None`` when neither is given.

        Raises:
            SettingsError: the file can't be read.
        """
        return _password(self.sasl_password, self.sasl_password_file)


class TopicSettings(_Section):
    """Names and shape of the topics; a name left out is ``prefix`` + its own word."""

    prefix: str = "tidewatch."
    predictions: Topic = ""
    outcomes: Topic = ""
    rollouts: Topic = ""
    checkpoints: Topic = ""
    findings: Topic = ""
    incidents: Topic = ""
    dead_letters: Topic = ""
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 8
    replication: Annotated[int, Field(ge=1, le=15)] = 1
    retention_s: Annotated[float, Field(gt=0)] = 14 * 86_400.0

    @model_validator(mode="before")
    @classmethod
    def _name(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        prefix = values.get("prefix", "tidewatch.")
        return {name: f"{prefix}{name.replace('_', '-')}" for name in TOPICS} | values

    @field_validator(*TOPICS)
    @classmethod
    def _own(cls, name: str, info: ValidationInfo) -> str:
        others = [other for other in TOPICS if info.data.get(other) == name]
        if others:
            raise ValueError(f"is topics.{others[0]} already: want a topic of its own")
        return name

    def inputs(self) -> tuple[str, str, str]:
        """Return the three input topics, which must have the same number of partitions."""
        return self.predictions, self.outcomes, self.rollouts


class WorkerSettings(_Section):
    """The stream worker (``tidewatch worker``)."""

    group: str = "tidewatch-worker"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 6066
    checkpoint_interval_s: Annotated[float, Field(gt=0)] = 2.0
    batch_size: Annotated[int, Field(ge=1, le=50_000)] = 2_000
    label_horizon_s: Annotated[float, Field(gt=0)] = 3 * 86_400.0
    pending_budget: Annotated[int, Field(ge=1)] = 50_000_000
    memory_entries: Annotated[int, Field(ge=1)] = 40_000
    data_dir: Path | None = None
    instance: str | None = None
    model_budget: Annotated[int, Field(ge=1)] = 10_000
    slice_budget: Annotated[int, Field(ge=1)] = 200
    future_tolerance_s: Annotated[float, Field(ge=0)] = 3_600.0
    past_tolerance_s: Annotated[float, Field(gt=0)] = 400 * 86_400.0
    series_budget: Annotated[int, Field(ge=1)] = 2_000
    restore_timeout_s: Annotated[float, Field(gt=0)] = 900.0

    @property
    def tolerance(self) -> Tolerance:
        """How far an event's time may lie from the record's."""
        from stream.wire import Tolerance

        return Tolerance(self.past_tolerance_s, self.future_tolerance_s)


class PagerSettings(_Section):
    """The alerts worker (``tidewatch pager``)."""

    group: str = "tidewatch-pager"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 6067
    checkpoint_interval_s: Annotated[float, Field(gt=0)] = 1.0
    owners: Path | None = None
    restore_timeout_s: Annotated[float, Field(gt=0)] = 300.0


class MonitorSettings(_Section):
    """When a change is worth a finding."""

    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    warmup: Annotated[int, Field(ge=10)] = 200
    minimum_increase: Annotated[float, Field(ge=0)] = 0.2
    false_pages_per_week: Annotated[float, Field(gt=0, le=1_000)] = 1.0
    models_per_team: Annotated[int, Field(ge=1)] = 50
    reference: Path | None = None
    objective: Objectives = ()

    def objectives(self) -> tuple[Objective, ...]:
        """Return what is promised, with the tolerances that are meant."""
        return tuple(one.objective(self.minimum_increase) for one in self.objective)


class Settings(BaseSettings):
    """Everything a Tidewatch process is told from outside."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="forbid",
    )

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = Field(default_factory=lambda: TopicSettings.model_validate({}))
    worker: WorkerSettings = WorkerSettings()
    pager: PagerSettings = PagerSettings()
    monitor: MonitorSettings = MonitorSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before file; no dotenv, no secrets directory."""
        path = os.environ.get(FILE)
        variables = Environment(settings_cls)
        return (init_settings, variables) + ((File(settings_cls, path),) if path else ())


def load(path: Path | None = None) -> Settings:
    """Read the settings, with ``path`` as the file if given.

    Raises:
        SettingsError: the file can't be read, or any field is wrong; lists all of them.
    """
    if path is not None:
        os.environ[FILE] = str(path)
    named = os.environ.get(FILE)
    if named and not Path(named).is_file():
        raise SettingsError(f"settings file {named}: no such file")
    try:
        return Settings()
    except EnvironmentFault as fault:
        raise SettingsError(unparsed(fault, os.environ)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as fault:
        raise SettingsError(f"settings file {named}: {fault}") from None
    except ValidationError as faults:
        told = (described(fault, Settings.model_fields) for fault in faults.errors())
        raise SettingsError("\n".join(told)) from None


def strangers() -> list[str]:
    """Return a warning of each variable that begins with ``TIDEWATCH_`` and is like no setting."""
    return passed_over(os.environ, sections_of(Settings.model_fields))
