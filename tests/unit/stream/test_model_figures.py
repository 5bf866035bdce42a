"""A scrape shows the most important series, and looking for them never holds the event loop for long."""

import asyncio

import pytest

from stream.figures.sums import WIDTHS, Sums
from stream.model_figures import Chunk, ModelFigures
from stream.series import new_series


def series(predictions=0, finding=None):
    one = new_series("classification", 1e-4)
    one.predictions, one.finding = predictions, finding
    return one


SUMS = Sums()
SUMS.windows.allot(WIDTHS["classification"])


def shown(figures):
    (counts,) = (one for one in figures.collect() if one.name == "tidewatch_model_predictions")
    return [tuple(sample.labels.values()) for sample in counts.samples]


def dropped(figures):
    (left_out,) = (one for one in figures.collect() if one.name == "tidewatch_series_dropped")
    return left_out.samples[0].value


CHUNKS = [
    Chunk("fraud", "v1", [("all", series(10)), ("country=pt", series(9)), ("country=br", series(1))], SUMS),
    Chunk("eta", "v1", [("all", series(20)), ("country=pt", series(3, finding=object()))], SUMS),
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
            yield Chunk("m", name, [*version.items()], SUMS)

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
    figures = ModelFigures(lambda: (Chunk(f"m{number}", "v", names, SUMS) for number in range(1_600)), 2_000)

    async def turns_meanwhile():
        looking, turns = asyncio.create_task(figures.refresh()), 0
        while not looking.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(turns_meanwhile()) > 2
    assert dropped(figures) == 158_000


def test_windows_are_shown_of_every_series_and_the_rest_of_the_busiest_versions_only():
    """One version in ten of the budget shows what only whole versions have; undefined figures have no sample."""
    sums, slices = Sums(), {name: series(number) for number, name in enumerate(("country=pt", "all"), 1)}
    for one in slices.values():
        one.place = sums.windows.allot(WIDTHS["classification"])
    for number in range(100):
        row = (60.0 * number, [*slices.values()], True, number % 4 > 0, 0.8)
        sums.take((*row, 1.0))
    figures = ModelFigures(lambda: [Chunk(name, "v1", [*slices.items()], sums) for name in "ab"], 10)
    asyncio.run(figures.refresh())
    samples = {one.name: one.samples for one in figures.collect()}
    by_window = {
        (one.labels["model"], one.labels["slice"], one.labels["window"]): one.value
        for one in samples["tidewatch_model_accuracy_ratio"]
    }
    assert by_window["b", "country=pt", "7d"] == by_window["a", "all", "24h"] == 0.75
    assert {one.labels["model"] for one in samples["tidewatch_model_brier"]} == {"a"}
    assert {one.value for one in samples["tidewatch_model_roc_auc_ratio"]} == {0.5}
    recalls = samples["tidewatch_model_class_recall_ratio"]
    assert {(one.labels["class"], one.labels["window"]) for one in recalls} == {
        (name, window) for name in ("true", "false") for window in ("24h", "rollout")
    }
    assert samples["tidewatch_model_mape_ratio"] == []
    counts = {one.labels["window"]: one.value for one in samples["tidewatch_model_window_outcomes"]}
    assert counts == {"5m": 7, "1h": 70, "24h": 100, "7d": 100}


def test_until_when_a_version_was_trained_is_shown_of_versions_that_said_so():
    series_of_both = [("all", series(10)), ("country=pt", series(9))]
    figures = ModelFigures(
        lambda: [Chunk("m", "v1", series_of_both, SUMS, 500.0), Chunk("m", "v2", series_of_both, SUMS)], 10
    )
    asyncio.run(figures.refresh())
    (trained,) = (one for one in figures.collect() if "trained" in one.name)
    assert trained.name == "tidewatch_model_trained_until_timestamp_seconds"
    assert [(one.labels, one.value) for one in trained.samples] == [({"model": "m", "version": "v1"}, 500.0)]
