"""Shell. A stock Faust agent over both topics, plain transport, that only decodes JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import uuid
from typing import Any

import faust

WARM_S = 2.0


def build(brokers: str, topics: list[str], seconds: float, total: int) -> faust.App:
    """Return the application; it prints its figure and ends after ``seconds`` or ``total`` records."""
    app = faust.App(
        f"stock-{uuid.uuid4().hex[:8]}",
        broker=f"aiokafka://{brokers}",
        store="memory://",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    seen = {"records": 0, "first_at": 0.0, "began_at": 0.0, "began": 0, "cpu": 0.0}

    @app.agent(app.topic(*topics, value_type=bytes, value_serializer="raw"))
    async def decode(values: Any) -> None:
        async for value in values:
            json.loads(value)
            seen["records"] += 1
            if seen["records"] % 100 == 0 or seen["records"] == total:
                look(time.monotonic())

    def look(now: float) -> None:
        if not seen["first_at"]:
            seen["first_at"] = now
        elif not seen["began_at"] and now - seen["first_at"] > WARM_S:
            seen.update(began_at=now, began=seen["records"], cpu=time.process_time())
        elif seen["began_at"] and (now - seen["began_at"] > seconds or seen["records"] == total):
            records = seen["records"] - seen["began"]
            cpu_s = time.process_time() - seen["cpu"]
            answer = json.dumps({"records": records, "seconds": now - seen["began_at"], "cpu_s": cpu_s})
            os.write(1, answer.encode() + b"\n")
            os._exit(0)
        elif seen["records"] == total:
            os.write(2, b"all records were read while warming up: want more --events\n")
            os._exit(1)

    return app


def main() -> None:
    """Run: BROKERS SECONDS RECORDS TOPIC..."""
    brokers, seconds, total, *topics = sys.argv[1:]
    app = build(brokers, topics, float(seconds), int(total))
    worker = faust.Worker(app, quiet=True, loglevel=logging.ERROR, redirect_stdouts=False)
    worker.spinner = None
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
