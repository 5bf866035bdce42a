"""Send one prediction and its outcome: ``python produce_aiokafka.py [BROKERS [TOPIC_PREFIX]]``.

aiokafka places keys with Kafka's murmur2 already, so that there is nothing to set for it.
"""

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

MODEL = "cancel-risk"


def cloud_event(kind: str) -> list[tuple[str, bytes]]:
    """Return optional headers; with them Tidewatch can name the sender when something breaks."""
    headers = {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": "/rides", "ce_type": kind}
    return [(name, text.encode()) for name, text in headers.items()]


async def main(brokers: str = "localhost:9092", prefix: str = "tidewatch.") -> None:
    """Send a prediction when the model has answered, and the outcome when it is known."""
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers,
        acks="all",
        enable_idempotence=True,  # a retry does not send the event twice
        key_serializer=str.encode,
        value_serializer=lambda event: json.dumps(event).encode(),
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
    async with producer:
        await producer.send_and_wait(
            f"{prefix}predictions", prediction, key=MODEL, headers=cloud_event("rides.prediction")
        )
        # ... minutes, hours or days later, maybe from another service:
        outcome = {
            "type": "outcome",
            "prediction_id": prediction["prediction_id"],
            "model": MODEL,
            "at": datetime.now(UTC).isoformat(),
            "outcome": False,
        }
        await producer.send_and_wait(
            f"{prefix}outcomes", outcome, key=MODEL, headers=cloud_event("rides.outcome")
        )
    print(f"sent a prediction of {MODEL} and its outcome to {brokers}, topics {prefix}*")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
