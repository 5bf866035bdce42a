"""What a process started by a test does with signals, however the tests themselves were started."""

import signal


def hear_all() -> None:
    """Undo what nohup and background jobs of a shell leave to all that they start: deafness to some signals."""
    for one in (signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)
