"""A process that ends of a fault while its broker is away ends soon: nobody else folds for it until then."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, faust
from stream.engine import process

process.STOP_S = 1.0
app = faust.App("a", broker="memory://", web_enabled=False)

async def fail():
    worker = process.Worker(app, quiet=True)
    worker._crash(RuntimeError("a fault"))
    await asyncio.sleep(600)

asyncio.run(fail())
"""


def test_the_stop_after_a_fault_has_an_end_too():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, timeout=60)
    assert ended.returncode == 1
    assert b"stopped without a checkpoint" in ended.stdout + ended.stderr
