"""What a scrape is told of a partition: nothing of what is not known yet."""

from prometheus_client import CollectorRegistry

from stream.telemetry import PartitionFigures
from stream.watch import partition_rows
from tests.unit.stream.test_admission import Bounded, predicted, rolled_out


def test_a_partition_of_which_only_rollouts_came_has_models_and_no_watermark_yet():
    life, registry = Bounded(), CollectorRegistry()
    registry.register(PartitionFigures(partition_rows(lambda: {0: life.fold})))

    def shown(name, **labels):
        return registry.get_sample_value(f"tidewatch_{name}", {"partition": "0"} | labels)

    rollout, prediction = rolled_out("m"), predicted("m")
    life.fold_all(rollout)
    assert (shown("models", kind="rolled_out"), shown("watermark_timestamp_seconds")) == (1, None)
    life.fold_all(prediction)
    assert shown("watermark_timestamp_seconds") == prediction.at


def test_models_are_shown_as_they_are_counted_against_the_budget():
    life, registry = Bounded(budget=2), CollectorRegistry()
    registry.register(PartitionFigures(partition_rows(lambda: {0: life.fold})))
    life.fold_all(rolled_out("a"), rolled_out("b"), predicted("b"))
    kinds = ("judged", "rolled_out")
    shown = [
        registry.get_sample_value("tidewatch_models", {"partition": "0", "kind": kind}) for kind in kinds
    ]
    assert shown == [1, 1]
    life.fold_all(predicted("c"), rolled_out("d"))
    assert life.refused == [], "there was room for one more of either"
