"""Which inputs a scrape shows: the farthest from their reference, looked for while events go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry

from stream import ranked
from stream.feature_figures import FeatureFigures, FeatureRow

NEAR, FAR, FARTHEST = (FeatureRow("m", "v1", name, psi) for name, psi in (("a", 0.1), ("b", 0.2), ("c", 0.3)))


def psi_of(figures: FeatureFigures) -> dict[str, float]:
    asyncio.run(figures.refresh())
    (family, _) = figures.collect()
    return {sample.labels["feature"]: sample.value for sample in family.samples}


def dropped(figures: FeatureFigures) -> float | None:
    registry = CollectorRegistry()
    registry.register(figures)
    return registry.get_sample_value("tidewatch_features_dropped")


@pytest.mark.parametrize("part", [1, 2, 500])
def test_the_farthest_are_shown_and_the_others_counted(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranked, "PART", part)
    figures = FeatureFigures(lambda: [FAR, NEAR, FARTHEST], 2)
    assert [*psi_of(figures).items()] == [("c", 0.3), ("b", 0.2)]
    assert dropped(figures) == 1


def test_before_the_first_look_there_is_nothing() -> None:
    figures = FeatureFigures(lambda: [FAR], 2)
    assert dropped(figures) == 0
    assert not next(iter(figures.collect())).samples


def test_of_equally_far_ones_the_first_by_name_is_shown() -> None:
    figures = FeatureFigures(lambda: [FAR._replace(feature="z"), FAR], 1)
    assert [*psi_of(figures)] == ["b"]


def test_the_event_loop_has_its_turn_again_and_again() -> None:
    """How long a turn takes is up to the machine."""
    figures = FeatureFigures(lambda: (FAR._replace(feature=str(number)) for number in range(100_000)), 100)

    async def turns_meanwhile() -> int:
        looking, turns = asyncio.create_task(figures.refresh()), 0
        while not looking.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(turns_meanwhile()) > 5
    assert dropped(figures) == 99_900


def test_a_look_shows_what_is_there_now() -> None:
    rows: list[FeatureRow] = [NEAR]

    def live() -> Iterable[FeatureRow]:
        return [*rows]

    figures = FeatureFigures(live, 1)
    assert [*psi_of(figures)] == ["a"]
    rows.append(FAR)
    assert [*psi_of(figures)] == ["b"]
