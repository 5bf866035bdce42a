"""What a test needs from the machine: without it the test is skipped loudly, or fails where it is required.

``TIDEWATCH_REQUIRE=kafka,docker,prometheus,network,node`` names the parts whose absence is a failure.
"""

import os
from typing import NoReturn

import pytest

PARTS = ("kafka", "docker", "prometheus", "network", "node")


def missing(part: str, reason: str) -> NoReturn:
    """Skip the test because ``part`` is not here, or fail it if that part is required."""
    required = {name.strip() for name in os.environ.get("TIDEWATCH_REQUIRE", "").split(",") if name.strip()}
    unknown = (required | {part}) - set(PARTS)
    if unknown:
        pytest.fail(
            f"TIDEWATCH_REQUIRE {', '.join(sorted(unknown))}: want some of {', '.join(PARTS)}", pytrace=False
        )
    if part in required:
        pytest.fail(f"{part} is required by TIDEWATCH_REQUIRE, but: {reason}", pytrace=False)
    pytest.skip(f"NOT SHOWN without {part}: {reason}")
