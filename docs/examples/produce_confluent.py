"""Send one prediction and its outcome: ``python produce_confluent.py [BROKERS [TOPIC_PREFIX]]``.

It needs confluent-kafka (``pip install confluent-kafka``), which Tidewatch itself does not.

librdkafka, and so every client built on it, places keys with CRC32 unless told otherwise. All that concerns
one model must meet in one partition, also when other producers are Java or aiokafka clients: set
``partitioner=murmur2_random``, which is what the Java client does.
"""

import json
import sys
import uuid
from datetime import UTC, datetime

from confluent_kafka import KafkaError, Message, Producer

MODEL = "cancel-risk"


def cloud_event(kind: str) -> list[tuple[str, bytes]]:
    """Return optional headers; with them Tidewatch can name the sender when something breaks."""
    headers = {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": "/rides", "ce_type": kind}
    return [(name, text.encode()) for name, text in headers.items()]


failed: list[str] = []


def delivered(error: KafkaError | None, message: Message) -> None:
    """Note what did not arrive; librdkafka has retried already. An exception in here would lose the reason."""
    if error is not None:
        failed.append(f"{message.topic()}: not delivered: {error}")


def main(brokers: str = "localhost:9092", prefix: str = "tidewatch.") -> None:
    """Send a prediction when the model has answered, and the outcome when it is known."""
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "partitioner": "murmur2_random",  # not librdkafka's own default
            "enable.idempotence": True,  # a retry does not send the event twice; implies acks=all
            "delivery.timeout.ms": 20_000,  # less than flush waits, so that what fails says why
        }
    )
    prediction = {
        "type": "prediction",
        "prediction_id": str(uuid.uuid4()),
        "model": MODEL,
        "version": "2026-02-20",
        "at": datetime.now(UTC).isoformat(),
        "prediction": True,
        "scores": 0.83,
        "slices": {"country": "pt"},
        "features": {"distance_km": 7.4, "payment": "card", "driver_rating": None},
    }
    # ... minutes, hours or days later, maybe from another service:
    outcome = {
        "type": "outcome",
        "prediction_id": prediction["prediction_id"],
        "model": MODEL,
        "at": datetime.now(UTC).isoformat(),
        "outcome": False,
    }
    for topic, event in ((f"{prefix}predictions", prediction), (f"{prefix}outcomes", outcome)):
        producer.produce(
            topic,
            key=MODEL,
            value=json.dumps(event),
            headers=cloud_event(f"rides.{event['type']}"),
            on_delivery=delivered,
        )
    if producer.flush(30) or failed:
        sys.exit("\n".join(failed) or f"{brokers}: not everything was delivered within 30 seconds")
    print(f"sent a prediction of {MODEL} and its outcome to {brokers}, topics {prefix}*")


if __name__ == "__main__":
    main(*sys.argv[1:3])
