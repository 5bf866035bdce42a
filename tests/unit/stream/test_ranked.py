"""Which inputs a scrape shows: the farthest from their reference, looked for while events go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from stream import ranked
from stream.feature_figures import FeatureFigures, FeatureRow
from stream.monitor import Monitor
from stream.watch import estimate_rows, feature_rows, maturity_rows

NEAR, FAR, FARTHEST = (FeatureRow("m", "v1", name, psi) for name, psi in (("a", 0.1), ("b", 0.2), ("c", 0.3)))


def psi_of(figures: FeatureFigures) -> dict[str, float]:
    asyncio.run(figures.refresh())
    (family, _) = figures.collect()
    return {sample.labels["feature"]: sample.value for sample in family.samples}


def dropped(figures: FeatureFigures) -> float | None:
    registry = CollectorRegistry()
    registry.register(figures)
    return registry.get_sample_value("tidewatch_features_dropped")


@pytest.mark.parametrize(
    "groups", [[[FAR, NEAR, FARTHEST]], [[FAR], [NEAR], [FARTHEST]], [[], [FARTHEST, NEAR], [], [FAR]]]
)
@pytest.mark.parametrize("part", [1, 500])
def test_the_farthest_are_shown_and_the_others_counted(
    groups: list[list[FeatureRow]], part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranked, "PART", part)
    figures = FeatureFigures(lambda: groups, 2)
    assert [*psi_of(figures).items()] == [("c", 0.3), ("b", 0.2)]
    assert dropped(figures) == 1


def test_before_the_first_look_there_is_nothing() -> None:
    figures = FeatureFigures(lambda: [[FAR]], 2)
    assert dropped(figures) == 0
    assert not next(iter(figures.collect())).samples


def test_of_equally_far_ones_the_first_by_name_is_shown() -> None:
    figures = FeatureFigures(lambda: [[FAR._replace(feature="z")], [FAR]], 1)
    assert [*psi_of(figures)] == ["b"]


@pytest.mark.parametrize("rows", [[], [NEAR]])
def test_events_are_folded_at_many_places_of_a_look(rows: list[FeatureRow]) -> None:
    """Also while no version has anything to show; how long a turn of the loop takes is up to the machine."""
    looked = 0

    def groups() -> Iterator[list[FeatureRow]]:
        nonlocal looked
        for looked in range(200_000):  # noqa: B007
            yield rows

    async def places_meanwhile() -> set[int]:
        looking, places = asyncio.create_task(FeatureFigures(groups, 10).refresh()), set[int]()
        while not looking.done():
            places.add(looked)
            await asyncio.sleep(0)
        await looking
        return places

    assert len(asyncio.run(places_meanwhile())) > 3


def test_a_look_shows_what_is_there_now() -> None:
    rows: list[FeatureRow] = [NEAR]
    figures = FeatureFigures(lambda: [[*rows]], 1)
    assert [*psi_of(figures)] == ["a"]
    rows.append(FAR)
    assert [*psi_of(figures)] == ["b"]


def test_models_that_come_during_a_look_do_no_harm() -> None:
    fold = SimpleNamespace(monitors={"m0": Monitor("m0")}, join=SimpleNamespace(watermark=1.0))
    views = [view(lambda: cast("Any", {0: fold})) for view in (feature_rows, estimate_rows, maturity_rows)]
    looks = [iter(view()) for view in views]
    for look in looks:
        next(look, None)
    fold.monitors["m1"] = Monitor("m1")
    for look in looks:
        assert not [*look]
    assert [len([*view()]) for view in views] == [0, 2, 2]
