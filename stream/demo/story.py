"""Shell. What a story says while it is played: progress, pages and resolves as their receivers got them."""

from __future__ import annotations

import time

from stream.demo.sender import Sender
from stream.demo.stage import PROGRESS_S, Stage
from stream.demo.verdict import Received
from stream.instant import in_words

SHOWN = (
    "tidewatch_models",
    "tidewatch_consumer_lag_records",
    'tidewatch_findings_total{state="open"}',
    'tidewatch_findings_total{state="closed"}',
)


class Story:
    """Tells what is new each time it is asked."""

    def __init__(self, stage: Stage, sender: Sender) -> None:
        self._stage = stage
        self._sender = sender
        self._told_at = time.monotonic()
        self._sent = 0
        self._delay = (0.0, 0.0)
        self._seen = 0

    async def go_on(self, note: str = "") -> None:
        """Tell of new webhooks at once, and of the progress every few seconds; ``note`` goes with it.

        Raises:
            Failed: a process ended.
        """
        self.webhooks()
        since_s = time.monotonic() - self._told_at
        if since_s < PROGRESS_S:
            return
        self._stage.look()
        await self._progress(since_s, note)

    async def _progress(self, since_s: float, note: str) -> None:
        worker = self._stage.worker
        models, lag, opened, closed = [await worker.figure(name) for name in SHOWN]
        if models != models:  # too busy to say; asked again soon
            return
        total_s = await worker.figure("tidewatch_label_delay_seconds_sum")
        labels = await worker.figure("tidewatch_label_delay_seconds_count")
        news = labels - self._delay[1]
        delay = f"{_span((total_s - self._delay[0]) / news)}" if news > 0 else "-"
        rate = (self._sender.sent - self._sent) / since_s
        self._stage.say(
            f"  {note}{rate:6,.0f} events/s  {models:.0f} models  label delay {delay}"
            f"  lag {lag:.0f}  findings opened {opened:.0f}, closed {closed:.0f}"
        )
        self._told_at, self._sent, self._delay = time.monotonic(), self._sender.sent, (total_s, labels)

    def webhooks(self) -> None:
        """Tell of the webhooks that came since."""
        received = self._stage.receivers.received
        for one in received[self._seen :]:
            if one.kind == "webhook" and one.signed:
                for line in lines(one):
                    self._stage.say(line)
        self._seen = len(received)


def lines(one: Received) -> list[str]:
    """Return a webhook as a person reads it."""
    told = one.body["data"]
    if one.body["type"] == "incident.resolved":
        return [f"RESOLVED, told to {one.team}: {told['model']} at {in_words(told['resolved_at'])}"]
    latency = "-" if told["proven_at"] is None else f"{one.at - told['proven_at']:.2f} s"
    return [
        f"PAGE, told to {one.team}: {told['summary']}",
        f"  model {told['model']}   version {told['version']}   slice {told['slice']}",
        f"  {told['metric']} {told['before']:.3f} before, {told['after']:.3f} after,"
        f" since {in_words(told['onset_at'])}",
        f"  from the proving event to the accepted webhook: {latency}",
    ]


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
