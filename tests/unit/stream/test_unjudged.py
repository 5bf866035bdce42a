"""A model whose labels come but can't be compared is a ticket, from its first event on or later."""

import json

import msgspec
import pytest
from click.testing import CliRunner

from stream.cli import main
from stream.events import Instant, Outcome, Prediction, Rollout
from stream.fold import InputFold
from stream.rates import JOIN, Rates
from stream.unjudged import ENOUGH, LABELS, Unjudged
from stream.wire import encode
from tests.unit.stream.test_health import BATCH, DAY_S, HOUR_S, Watch, fold_of, records, said

BEGAN_AT = 1_764_000_000.0
HOURLY = 20
KINDS = ("m", "mismatched_rate", "@kinds")
OLD_KINDS = 5
"""Of the join, in states of releases before this ticket."""


def life(days, version_of=lambda at: "v1", odd=lambda number, at: number == 0, known=lambda number: 1.0):
    """Return events in order of arrival: ``m`` says "NaN" where it is odd, and ``n`` gives the time."""
    found, versions = [], {}
    for number in range(days * 24 * HOURLY):
        at = BEGAN_AT + number * HOUR_S / HOURLY
        version = version_of(at)
        place = versions[version] = versions.get(version, -1) + 1
        what = "NaN" if odd(place, at) else 1.0
        found += [
            Prediction(
                prediction_id=f"m{number}", model="m", version=version, at=Instant(at), prediction=what
            ),
            Outcome(prediction_id=f"m{number}", model="m", at=Instant(at + 600.0), outcome=known(number)),
        ]
        if not number % 2:
            one = Prediction(
                prediction_id=f"n{number}", model="n", version="v1", at=Instant(at), prediction=1.0
            )
            found.append(one)
    return sorted(found, key=lambda event: event.at)


def from_day(day):
    return lambda at: "v2" if at >= BEGAN_AT + day * DAY_S else "v1"


def about_m(findings):
    return [one for one in findings if one.model == "m"]


def tickets(events, fold=None, batch=BATCH):
    made, found, judged = fold or fold_of(), [], Watch()
    made._watch = judged
    log = [*records(events)]
    for first in range(0, len(log), batch):
        made.apply(log[first : first + batch])
        found += about_m(judged.tally.findings)
    return found


def test_a_new_model_whose_first_prediction_is_odd_is_told_and_closed_with_a_version_that_is_right():
    events = life(3, from_day(2), odd=lambda place, at: place == 0 and at < BEGAN_AT + DAY_S)
    found = tickets(events)
    opened, closed = found
    assert said(found) == [("open", *KINDS), ("closed", *KINDS)]
    assert (opened.severity, opened.version, opened.id) == ("ticket", "v1", closed.id)
    assert (opened.before, opened.before_count, opened.after) == (0.0, 0, 1.0)
    assert opened.after_count >= ENOUGH
    assert opened.onset_after <= opened.onset_at == BEGAN_AT < opened.detected_at < BEGAN_AT + 12 * HOUR_S
    assert opened.summary == (
        f"m: all {opened.after_count} outcomes since 2025-11-24 16:00:00 UTC are of another kind than their "
        "predictions, or these than their version's first: the model is not judged."
    )
    assert 0.0 < closed.closed_at - (BEGAN_AT + 2 * DAY_S) < DAY_S


def test_classes_with_scores_after_a_first_without_are_told():
    events = [
        msgspec.structs.replace(one, prediction=1, scores=None if one.prediction == "NaN" else 0.9)
        if type(one) is Prediction and one.model == "m"
        else one
        for one in life(1)
    ]
    assert said(tickets(events)) == [("open", *KINDS)]


def broken(began_at, day):
    """Return what is told of a model whose v2 is odd, for two days from a day on."""
    ended_at = began_at + 2 * DAY_S

    def version_of(at):
        return "v1" if at < began_at else "v2" if at < ended_at else "v3"

    return tickets(life(day, version_of, lambda place, at: place == 0 and version_of(at) == "v2"))


def test_a_known_model_that_breaks_is_one_ticket_and_not_said_to_have_no_labels():
    began_at = BEGAN_AT + 10.5 * DAY_S
    found = broken(began_at, 14)
    opened, closed = found
    assert said(found) == [("open", *KINDS), ("closed", *KINDS)]
    assert (opened.version, closed.version) == ("v2", "v2")
    assert began_at < opened.detected_at < began_at + 18 * HOUR_S
    assert opened.onset_after <= began_at <= opened.onset_before
    assert 0.0 < closed.closed_at - (began_at + 2 * DAY_S) < DAY_S


def test_a_part_becomes_all_and_is_told_by_one_ticket_at_a_time():
    found = broken(BEGAN_AT + 10 * DAY_S, 14)
    assert [(one.state, one.feature) for one in found] == [
        ("open", "@join"),
        ("open", "@kinds"),
        ("closed", "@join"),
        ("closed", "@kinds"),
    ]
    assert found[1].detected_at == found[2].closed_at


def some(number, since_day, until_day, every):
    day = number / (24 * HOURLY)
    return "1.0" if since_day <= day < until_day and not number % every else 1.0


def no_odd(place, at):
    return False


def test_a_part_that_can_not_be_compared_is_trouble_of_the_join():
    events = life(16, odd=no_odd, known=lambda number: some(number, 10, 13, 5))
    found = tickets(events)
    assert said(found) == [(one, "m", "mismatched_rate", "@join") for one in ("open", "closed")]
    opened, _ = found
    assert opened.before < 0.001 < 0.05 < opened.after
    assert " are outcomes of another kind than their predictions (before: " in opened.summary


def test_what_is_usual_is_no_ticket():
    assert tickets(life(14, odd=no_odd, known=lambda number: some(number, 0, 14, 5))) == []


def test_a_ticket_ends_with_the_last_version():
    gone = Rollout(model="m", version="v1", at=Instant(BEGAN_AT + DAY_S), stage="retired")
    events = sorted([*life(2), gone], key=lambda event: event.at)
    found = tickets(events)
    assert said(found) == [("open", *KINDS), ("closed", *KINDS)]


def older(value):
    """Return a monitor's state as schema 7 had it: the join without its newest kind, nothing of kinds."""
    fields = msgspec.msgpack.decode(body_of(value))
    health = fields[4]
    del health[9:]
    health[3][1], health[3][2] = health[3][1][:OLD_KINDS], health[3][2][:OLD_KINDS]
    return b"7\n" + msgspec.msgpack.encode(fields)


def body_of(value):
    _, _, rest = value.partition(b"\n")
    return rest[2 + int.from_bytes(rest[:2]) :]


def upgraded(events, place):
    """Return what is told after an older release had folded the events before ``place``, and its state."""
    made = fold_of()
    tickets(events[:place], made)
    kept = {key: older(value) if key in (b"m", b"n") else value for key, value in made.freeze({}).state}
    assert not any(made.committed())
    again = InputFold(0, made._rules, Watch(), made._store)
    for key, value in kept.items():
        again.restore(key, value)
    return tickets(events[place:], again), again


def test_an_older_state_of_a_model_that_never_was_judged_is_told():
    events = life(2)
    found, _ = upgraded(events, len(events) // 2)
    assert said(found) == [("open", *KINDS)]
    assert found[0].onset_at >= BEGAN_AT + DAY_S - HOUR_S


@pytest.mark.parametrize("day", [5, 10])
def test_an_older_state_knows_what_share_was_usual(day):
    events = life(14, odd=no_odd, known=lambda number: some(number, 0, 14, 5))
    found, fold = upgraded(events, len(events) * day // 14)
    assert found == []
    join = fold.monitors["m"].health.join
    assert len(join.reference) == len(join.taken) == OLD_KINDS + 1
    assert join.reference[-1] == pytest.approx(join.reference[0] / 4, rel=0.01)


def test_neither_batches_nor_crashes_change_a_ticket():
    events = life(3, from_day(2), odd=lambda place, at: place == 0 and at < BEGAN_AT + DAY_S)
    whole = tickets(events)
    assert [tickets(events, batch=batch) for batch in (1, 7, 100_000)] == [whole] * 3
    made, found, kept = fold_of(), [], {}
    for first in range(0, len(events), 997):
        found += tickets(events[first : first + 997], made)
        kept.update(made.freeze({}).state)
        assert not any(made.committed())
        made = InputFold(0, made._rules, Watch(), made._store)
        for key, value in kept.items():
            made.restore(key, value)
    assert found == whole


def test_a_replay_shows_it(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(encode(one) for one in life(2)))
    answer = CliRunner().invoke(main, ["replay", str(file), "--json"])
    found = [json.loads(line) for line in answer.output.splitlines()]
    told = [one for one in found if one.get("metric") == "mismatched_rate"]
    assert [(one["severity"], one["state"], one["feature"]) for one in told] == [("ticket", "open", "@kinds")]


def test_a_join_that_begins_anew_while_nothing_is_judged_learns_what_is_usual():
    rates, counts = Rates(), {"matched": 0}
    for day in range(12):
        counts["matched"] += LABELS
        if day == 0:
            rates.skip(JOIN, counts, day * DAY_S)
        else:
            rates.look(JOIN, counts, day * DAY_S, 1_000.0)
    assert rates.drift.is_learned


def test_it_is_over_when_most_can_be_compared_and_not_before():
    one = Unjudged()
    assert one.look(0, ENOUGH - 1, 0.0, True) is None
    one = Unjudged()
    assert one.look(0, 0, 0.0, True) is None
    assert one.look(0, ENOUGH - 1, 1.0, True) is None
    assert one.look(0, ENOUGH, 2.0, True)[:3] == ("opened", ENOUGH, ENOUGH)
    one.finding = "open"
    assert one.look(ENOUGH - 1, ENOUGH, 3.0, True) is None
    assert one.look(2 * ENOUGH, 2 * ENOUGH, 4.0, True) is None, "as many can't"
    assert one.look(4 * ENOUGH, 2 * ENOUGH, 5.0, True)[:3] == ("closed", ENOUGH, 5 * ENOUGH)


def test_what_was_well_long_ago_hides_nothing():
    one = Unjudged()
    assert one.look(0, 0, 0.0, True) is None
    assert one.look(LABELS, 0, 1.0, True) is None
    assert one.look(LABELS, ENOUGH, 2.0, True) == ("opened", ENOUGH, ENOUGH, 1.0, 0.0)


def test_a_model_that_is_not_served_is_not_told():
    one = Unjudged()
    assert one.look(0, 0, 0.0, False) is None
    assert one.look(0, LABELS, 1.0, False) is None
