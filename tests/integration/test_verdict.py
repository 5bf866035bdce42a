"""``tidewatch verdict`` on a real broker: a worker folds a live version and a canary, the exit code says it."""

import asyncio
import json
import random
import time

from aiokafka import AIOKafkaProducer

from stream.events import Instant, Outcome, Prediction, Rollout
from stream.wire import encode

HOUR_S = 3_600.0
BUCKET_S = 3 * HOUR_S
"""The figures' buckets a few hours back; the one in which a version began is not compared."""
TRAINED_UNTIL = 1_790_000_000.0
LABELS = 4_000
"""Of each version."""


def events(model, wrong):
    """Yield an hour of the live version alone, then four of both, in time; ``wrong``: their shares of errors.

    The second version begins a minute before a bucket does: at any hour of the day nearly all of it is compared.
    """
    edge = (time.time() - 5 * HOUR_S) // BUCKET_S * BUCKET_S
    chance, began = random.Random(model), edge - HOUR_S - 60.0
    yield Rollout(model=model, version="v7", at=Instant(began), stage="live")
    trained_until = Instant(TRAINED_UNTIL)
    yield Rollout(
        model=model, version="v8", at=Instant(began + HOUR_S), stage="canary", trained_until=trained_until
    )
    for number in range(LABELS * 9 // 4):
        at = began + number * 5 * HOUR_S / (LABELS * 9 // 4)
        version = "v8" if at > began + HOUR_S and number % 2 else "v7"
        said = "no" if chance.random() < wrong[version] else "yes"
        named = {"prediction_id": str(number), "model": model}
        yield Prediction(**named, version=version, at=Instant(at), prediction=said)
        yield Outcome(**named, at=Instant(at + 60.0), outcome="yes")


async def send(kafka, some):
    names = kafka.settings().topics
    of = {Prediction: names.predictions, Outcome: names.outcomes, Rollout: names.rollouts}
    async with AIOKafkaProducer(bootstrap_servers=kafka.brokers, linger_ms=20) as producer:
        for one in some:
            await producer.send(of[type(one)], encode(one), key=one.model.encode())


def test_a_worse_canary_is_rolled_back_and_a_better_one_promoted(kafka, worker):
    asyncio.run(send(kafka, events("worse", {"v7": 0.2, "v8": 0.3})))
    asyncio.run(send(kafka, events("better", {"v7": 0.2, "v8": 0.1})))
    asyncio.run(
        send(kafka, [one for one in events("alone", {"v7": 0.2, "v8": 0.2}) if "v8" not in repr(one)])
    )

    done = kafka.tidewatch("verdict", "worse", "v8", "--wait", "90s", "--json")
    assert done.returncode == 4, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert time.time() - 150.0 < found["known_at"] < time.time() + 5.0
    assert (found["decision"], found["other"]["version"]) == ("roll_back", "v7")
    assert found["reason"] in ("worse", "open_finding")

    done = kafka.tidewatch("verdict", "better", "v8", "--wait", "90s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "better v8 (canary) against v7 (live)\nPROMOTE: " in done.stdout

    done = kafka.tidewatch("verdict", "alone", "v7", "--wait", "5s")
    assert (done.returncode, done.stderr) == (3, "")
    said = "alone v7 (live)\nHOLD: the model has no other version\n  as the checkpoint of "
    assert done.stdout.startswith(said)

    rows = [json.loads(line) for line in kafka.tidewatch("figures").stdout.splitlines()]
    versions = [one for one in rows if one["kind"] == "version" and one["model"] == "worse"]
    assert {one["version"]: one["trained_until"] for one in versions} == {"v7": None, "v8": TRAINED_UNTIL}

    done = kafka.tidewatch("verdict", "worse", "v9")
    assert (done.returncode, done.stdout) == (1, "")
    assert "version 'v9': has no predictions of worse; those that have: v7, v8" in done.stderr

    done = kafka.tidewatch("verdict", "nobody", "v8")
    assert (done.returncode, done.stdout) == (1, "")
    assert "model 'nobody': not in the checkpoints" in done.stderr


def test_without_topics_it_says_how_to_make_them(kafka):
    done = kafka.tidewatch("verdict", "eta", "v8")
    assert done.returncode == 1
    assert "run: tidewatch topics create" in done.stderr
    assert "Traceback" not in done.stderr
