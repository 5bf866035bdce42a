"""The short form of ``make chaos``: a few storms on a Kafka of its own, under two minutes in all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from stream.kafka.errors import EmbeddedKafkaError
from tests.chaos import figures, load, old, pagers, refusals, rounds
from tests.chaos.load import Sent
from tests.chaos.nodes import Cluster
from tests.chaos.rounds import Verdict
from tests.chaos.storms import CALM, PAGER_SHORT, SHORT, Storm
from tests.require import missing

SEED = 20_260
PER_S = 2_500.0
INCIDENTS, FINDINGS_PER_S = 400, 40.0
SHAPE = load.Shape(events=9_000, healthy=4, degraded=2, legacy=2)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        try:
            started = stack.enter_context(Cluster())
        except EmbeddedKafkaError as fault:
            missing("kafka", str(fault))
        yield started


@pytest.fixture(scope="module")
def records() -> list[Sent]:
    return load.build(SEED, SHAPE, float(int(time.time()) - 3 * 86_400))


@pytest.fixture(scope="module")
def calm(cluster: Cluster, records: list[Sent]) -> Verdict:
    return rounds.run(cluster, records, SHAPE, CALM, SEED, PER_S)


def test_an_undisturbed_run_counts_everything_and_finds_each_degraded_model(calm):
    calm.expect_findings(SHAPE.degraded)
    assert calm.miscounted == []
    assert calm.duplicated == 0
    assert figures.estimated(calm.rows) > 0, "no scores: estimates are not stormed"


def test_the_producer_of_misrouted_records_is_named_for_each_of_them(calm):
    assert calm.misrouted_named == calm.misrouted > 0


@pytest.mark.parametrize("storm", SHORT, ids=[storm.name for storm in SHORT])
def test_every_event_is_counted_once_through_a_storm(storm: Storm, cluster, records, calm):
    verdict = rounds.shown(cluster, records, SHAPE, storm, SEED, PER_S, calm)
    assert not verdict.is_void, (verdict.input_lost, verdict.forwarded_again)
    assert verdict.miscounted == []
    assert verdict.lost_findings == []
    assert [one for one, count in verdict.findings.items() if count > 1] == []
    assert (verdict.lost, verdict.extra, verdict.duplicated) == (0, 0, 0)
    assert verdict.zombie_writes == 0
    assert verdict.not_shown == []


def test_every_page_arrives_through_a_storm_of_pagers_and_repeats_under_one_id(cluster):
    shown = pagers.shown(cluster, PAGER_SHORT, SEED, INCIDENTS, FINDINGS_PER_S)
    assert shown.is_right, shown
    assert shown.not_shown == [], shown
    assert shown.refused > 0


@pytest.mark.parametrize("name", refusals.REFUSALS)
def test_a_worker_refuses_by_name(name, cluster):
    assert refusals.REFUSALS[name](cluster) == []


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("kept", old.files(), ids=[kept.stem for kept in old.files()])
def test_a_checkpoint_of_an_older_release_is_gone_on_from(kept):
    assert old.faults_of(kept) == []
