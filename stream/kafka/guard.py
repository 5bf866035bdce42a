"""Shell. Runs commands one after the other and kills them when its standard input ends.

Started as a script (``python -I -S guard.py DIRECTORY JSON``), so it imports the standard library only. The
owner holds the other end of standard input: closing it, or dying in any way, ends the commands and removes
DIRECTORY.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def main(directory: str, commands: list[list[str]]) -> int:
    """Run ``commands`` until one fails; return its exit code, or 0."""
    released = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def end() -> None:
        released.set()
        for child in running:
            child.kill()

    def watch() -> None:
        while os.read(0, 1024):
            pass
        end()

    signal.signal(signal.SIGTERM, lambda *_: end())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner decides
    threading.Thread(target=watch, daemon=True).start()
    code = 0
    for command in commands:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent())
        running.append(child)
        if released.is_set():
            child.kill()  # released between the last look and the start
        code = child.wait()
        if code or released.is_set():
            break
    if released.is_set():
        shutil.rmtree(directory, ignore_errors=True)
    return code


def die_with_parent() -> Callable[[], None]:
    """Return what a child does before it becomes its command: ask Linux to be killed when its parent is."""
    libc = ctypes.CDLL(None)

    def ask() -> None:
        with contextlib.suppress(AttributeError):  # not Linux: standard input alone must do
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2])))
