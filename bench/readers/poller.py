"""Shell. Asks for ``/healthz`` every 50 ms until its standard input ends; how late the answers came.

The clock of an answer starts when the question was due, not when it could be sent: a stall of one second is
twenty late answers, not one.
"""

from __future__ import annotations

import http.client
import json
import select
import sys
import time

EVERY_S = 0.05


def poll(port: int) -> list[float]:
    """Return the latencies in seconds, in order."""
    latencies: list[float] = []
    due = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()
            if select.select([sys.stdin], [], [], 0.2)[0]:
                break
        latencies.append(time.monotonic() - due)
        due += EVERY_S
    return latencies


def main() -> None:
    """Run: PORT."""
    latencies = sorted(poll(int(sys.argv[1])))
    count = len(latencies)
    found = {
        "count": count,
        "p99": latencies[min(count - 1, int(count * 0.99))],
        "max": latencies[-1],
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
