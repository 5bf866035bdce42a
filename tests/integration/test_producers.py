"""The producer examples of docs/examples/, run as they are on a real broker, and the partitioner trap."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic
from confluent_kafka import Producer

from stream.cluster import administrator
from stream.events import Outcome, Prediction
from stream.wire import Tolerance, decode_event, partition_for

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PARTITIONS = 8
TOLERANCE = Tolerance(past_s=3_600.0, future_s=60.0)
MODELS = [f"model-{number}" for number in range(50)] + ["prévision-café", "価格", "x" * 200]


async def _create(kafka, *topics):
    async with administrator(kafka.settings()) as admin:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])


async def _read(brokers, topic, count):
    """Return ``count`` records of a topic, from its beginning."""
    async with AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        return [await asyncio.wait_for(consumer.getone(), 30) for _ in range(count)]


def _send_keys(brokers, topic, settings):
    producer = Producer({"bootstrap.servers": brokers} | settings)
    for model in MODELS:
        producer.produce(topic, key=model, value=b"x")
    assert producer.flush(30) == 0


def _placed(records):
    return {record.key.decode(): record.partition for record in records}


@pytest.mark.parametrize("example", ["produce_aiokafka.py", "produce_confluent.py"])
def test_the_example_sends_a_prediction_and_its_outcome_to_the_models_partition(kafka, example):
    topics = [f"{kafka.prefix}predictions", f"{kafka.prefix}outcomes"]
    asyncio.run(_create(kafka, *topics))
    command = [sys.executable, str(EXAMPLES / example), kafka.brokers, kafka.prefix]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert f"sent a prediction of cancel-risk and its outcome to {kafka.brokers}" in done.stdout
    assert done.returncode == 0, done.stderr  # clients may log a retry there, on a topic made a moment ago

    records = [asyncio.run(_read(kafka.brokers, topic, 1))[0] for topic in topics]
    prediction, outcome = (
        decode_event(record.value, record.timestamp / 1000, TOLERANCE) for record in records
    )
    assert isinstance(prediction, Prediction)
    assert isinstance(outcome, Outcome)
    assert prediction.prediction_id == outcome.prediction_id
    for record, kind in zip(records, ("prediction", "outcome"), strict=True):
        assert record.key.decode() == prediction.model == outcome.model
        assert record.partition == partition_for(prediction.model, PARTITIONS)
        headers = dict(record.headers)
        assert (headers["ce_source"], headers["ce_type"]) == (b"/rides", f"rides.{kind}".encode())
        assert headers["ce_id"]


def test_the_confluent_example_says_what_was_not_delivered_and_why(tmp_path):
    text = (EXAMPLES / "produce_confluent.py").read_text(encoding="utf-8")
    hurried = tmp_path / "hurried.py"
    hurried.write_text(text.replace('"delivery.timeout.ms": 20_000', '"delivery.timeout.ms": 500'))
    command = [sys.executable, str(hurried), "127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for topic in ("predictions", "outcomes"):
        assert f"tidewatch.{topic}: not delivered: KafkaError{{code=_MSG_TIMED_OUT" in done.stderr


def test_librdkafka_with_murmur2_random_places_every_model_where_partition_for_says(kafka):
    topic = f"{kafka.prefix}murmur2"
    asyncio.run(_create(kafka, topic))
    _send_keys(kafka.brokers, topic, {"partitioner": "murmur2_random"})
    records = asyncio.run(_read(kafka.brokers, topic, len(MODELS)))
    assert _placed(records) == {model: partition_for(model, PARTITIONS) for model in MODELS}


def test_librdkafka_by_default_places_most_models_elsewhere(kafka):
    """The trap that docs/producers.md warns of. Were it gone, the warning and the setting could go too."""
    topic = f"{kafka.prefix}default"
    asyncio.run(_create(kafka, topic))
    _send_keys(kafka.brokers, topic, {})
    placed = _placed(asyncio.run(_read(kafka.brokers, topic, len(MODELS))))
    elsewhere = [model for model in MODELS if placed[model] != partition_for(model, PARTITIONS)]
    assert len(elsewhere) > len(MODELS) / 2
