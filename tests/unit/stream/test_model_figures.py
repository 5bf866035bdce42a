"""A scrape shows the most important series, and looking for them never holds the event loop for long."""

import asyncio

import pytest

from stream.model_figures import Chunk, ModelFigures
from stream.series import new_series


def series(predictions=0, finding=None):
    one = new_series("classification", 1e-4)
    one.predictions, one.finding = predictions, finding
    return one


def shown(figures):
    (counts,) = (one for one in figures.collect() if one.name == "tidewatch_model_predictions")
    return [tuple(sample.labels.values()) for sample in counts.samples]


def dropped(figures):
    (left_out,) = (one for one in figures.collect() if one.name == "tidewatch_series_dropped")
    return left_out.samples[0].value


CHUNKS = [
    Chunk("fraud", "v1", [("all", series(10)), ("country=pt", series(9)), ("country=br", series(1))]),
    Chunk("eta", "v1", [("all", series(20)), ("country=pt", series(3, finding=object()))]),
]
BY_IMPORTANCE = [
    ("eta", "v1", "country=pt"),
    ("eta", "v1", "all"),
    ("fraud", "v1", "all"),
    ("fraud", "v1", "country=pt"),
    ("fraud", "v1", "country=br"),
]


@pytest.mark.parametrize("budget", [1, 3, 5, 100])
def test_open_findings_come_first_then_whole_versions_then_the_busiest(budget):
    figures = ModelFigures(lambda: CHUNKS, budget)
    asyncio.run(figures.refresh())
    assert shown(figures) == BY_IMPORTANCE[:budget]
    assert dropped(figures) == max(0, 5 - budget)


def test_without_series_nothing_is_shown_nor_dropped():
    figures = ModelFigures(lambda: (), 10)
    asyncio.run(figures.refresh())
    assert (shown(figures), dropped(figures)) == ([], 0)


def test_what_changes_between_two_slices_of_work_does_no_harm():
    versions = {f"v{number}": {"all": series()} for number in range(2_000)}

    def chunks():
        for name, version in [*versions.items()]:
            yield Chunk("m", name, [*version.items()])

    async def refresh():
        figures = ModelFigures(chunks, 50)
        looking = asyncio.create_task(figures.refresh())
        while not looking.done():
            versions[f"new-{len(versions)}"] = {"all": series()}
            await asyncio.sleep(0)
        await looking
        return figures

    figures = asyncio.run(refresh())
    assert len(shown(figures)) == 50


def test_many_series_do_not_stall_the_event_loop():
    """The loop gets its turn again and again; how long a turn takes is up to the machine."""
    one = series(5)
    names = [(f"slice={number}", one) for number in range(100)]
    figures = ModelFigures(lambda: (Chunk(f"m{number}", "v", names) for number in range(1_600)), 2_000)

    async def turns_meanwhile():
        looking, turns = asyncio.create_task(figures.refresh()), 0
        while not looking.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(turns_meanwhile()) > 2
    assert dropped(figures) == 158_000
