import pytest

from stream.engine.topic_ids import UNTOLD, made_again, told

KNOWN = {"predictions": "cluster/aa", "outcomes": "cluster/bb"}


def test_a_topic_with_another_id_was_made_again():
    assert made_again(KNOWN, {"predictions": "cluster/cc", "outcomes": "cluster/bb"}) == ["predictions"]


def test_a_topic_with_the_same_id_was_not():
    assert made_again(KNOWN, KNOWN) == []


@pytest.mark.parametrize(
    "now", [{}, {"predictions": UNTOLD, "outcomes": UNTOLD}], ids=["not answered", "not told"]
)
def test_where_kafka_tells_no_ids_nothing_is_known(now):
    assert made_again(KNOWN, now) == []
    assert made_again(told(now), KNOWN) == []


def test_a_copy_in_another_cluster_is_taken_for_the_same_topic():
    assert made_again(KNOWN, {"predictions": "mirror/cc", "outcomes": "mirror/dd"}) == []
