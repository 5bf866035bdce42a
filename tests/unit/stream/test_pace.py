import pytest

from stream.engine.pace import Pace, Sight, Verdict, advice


def looks(waiting, folded):
    """Return the verdicts of looks at these two functions of the time, every five seconds for two minutes."""
    pace, found = Pace(), []
    for number in range(25):
        at = number * 5.0
        found.append(pace.look(Sight(at, int(waiting(at)), int(folded(at)))))
    return found


def test_lag_that_grows_while_it_folds_is_said_after_a_minute_and_not_before():
    found = looks(lambda at: 50_000 + 100 * at, lambda at: 1_000 * at)
    assert [*map(str, found[:12])] == ["keeps_up"] * 12
    assert {*found[12:]} == {Verdict.FALLS_BEHIND}


@pytest.mark.parametrize(
    ("waiting", "folded", "why"),
    [
        (lambda at: 50_000 - 100 * at, lambda at: 1_000 * at, "a backlog that shrinks"),
        (lambda at: 900 + at, lambda at: 1_000 * at, "less than a second's work"),
        (lambda at: 50_000 + 100 * at, lambda at: 0, "it does not fold: stalled, which is another matter"),
        (lambda at: 50_000 * (at < 30), lambda at: 1_000 * at, "a burst that was caught up with"),
        (lambda at: 0, lambda at: 0, "nothing to do"),
    ],
)
def test_it_keeps_up(waiting, folded, why):
    assert {*looks(waiting, folded)} == {Verdict.KEEPS_UP}, why


def test_it_is_taken_back_when_the_lag_shrinks():
    found = looks(lambda at: 50_000 + 100 * min(at, 60) - 1_000 * max(0, at - 60), lambda at: 1_000 * at)
    assert Verdict.FALLS_BEHIND in found
    assert found[-1] is Verdict.KEEPS_UP


def test_other_partitions_are_judged_from_the_beginning():
    pace = Pace()
    for number in range(13):
        pace.look(Sight(5.0 * number, 50_000 + 500 * number, 5_000 * number))
    assert pace.verdict is Verdict.FALLS_BEHIND
    pace.restart()
    assert pace.look(Sight(70.0, 60_000, 70_000)) is Verdict.KEEPS_UP


def test_advice_is_more_workers_while_there_are_partitions_for_them():
    assert advice(4).startswith("add workers: this one has 4 partitions")
    assert "raise the partition count" in advice(1)
