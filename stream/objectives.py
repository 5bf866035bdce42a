"""Edge. The tables ``[[monitor.objective]]`` of the settings: what is promised of models' errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from stream.judge.objective import HIGHEST, Objective

Name = Annotated[str, Field(min_length=1)]


class ObjectiveSettings(BaseModel):
    """One table. ``model`` is a glob; ``error`` the share wrong that is promised."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Name
    slice: Name = "all"
    error: Annotated[float, Field(gt=0, lt=1)]
    tolerance: Annotated[float, Field(ge=0)] | None = None

    def objective(self, increase: float) -> Objective:
        """Return what is judged by; ``increase`` (the least rise worth a page) is the default tolerance."""
        tolerance = increase if self.tolerance is None else self.tolerance
        return Objective(self.model, self.slice, self.error, tolerance)


def _kept(given: tuple[ObjectiveSettings, ...], info: ValidationInfo) -> tuple[ObjectiveSettings, ...]:
    """Want objectives that can be held; the field comes after ``minimum_increase``."""
    if faults := [*_faults(given, info.data.get("minimum_increase", 0.0))]:
        raise ValueError("; ".join(faults))
    return given


def _faults(given: Sequence[ObjectiveSettings], increase: float) -> Iterator[str]:
    """Yield what is wrong with objectives beside the least relative rise worth a page."""
    for place, one in enumerate(given):
        found = one.objective(increase)
        if found.tolerance < increase:
            yield f"{place}.tolerance {found.tolerance:g}: want at least monitor.minimum_increase, {increase:g}"
        if not found.bound() < HIGHEST:
            yield (
                f"{place}.error {found.error:g}: want error x (1 + tolerance) below {HIGHEST},"
                f" else nothing pages; it is {found.bound():.3g}"
            )


Objectives = Annotated[tuple[ObjectiveSettings, ...], AfterValidator(_kept)]
