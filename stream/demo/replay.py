"""Shell. Plays a recorded stream through Kafka, worker and pager, in the data's own time, only faster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from stream.demo import elec2
from stream.demo.oracle import Backing, Harm, Spell, backing, faults, harm, missing
from stream.demo.recording import Recording
from stream.demo.sender import Sender
from stream.demo.stage import Stage
from stream.demo.story import Story
from stream.demo.verdict import Received, strays
from stream.events import Event
from stream.settings import MonitorSettings

SPEED = 30 * 86_400.0
"""Seconds of the data's time in one second of ours: a month."""
STEP_S = 0.1

PAST_TOLERANCE_S = 50 * 365 * 86_400
"""The data keeps its own dates, and the worker is told that events may be that old: it refuses those beyond 400
days otherwise, since in production they are a producer's error. Shifted dates would make every page say a time at
which nothing happened."""


def settings(recording: Recording) -> dict[str, str]:
    """Return what the worker is told of a recorded stream: how old it is, and that its errors come in runs."""
    delta = recording.delta(MonitorSettings().delta)
    return {
        "TIDEWATCH_WORKER_PAST_TOLERANCE_S": str(PAST_TOLERANCE_S),
        "TIDEWATCH_MONITOR_DELTA": repr(delta),
    }


class Replay:
    """Plays one recording and judges what came by the oracle."""

    def __init__(self, stage: Stage, recording: Recording) -> None:
        self._stage = stage
        self._recording = recording

    async def play(self) -> dict[str, Any]:
        """Return what came, what the oracle found for each page, and what differed."""
        stage = self._stage
        async with Sender(stage.brokers, stage.prefix, stage.partitions) as sender:
            story = Story(stage, sender)
            await self._send(sender, story, list(self._recording.events()))
            await stage.folded(sender.sent)
            await stage.told()
        story.webhooks()
        return self._judge()

    async def _send(self, sender: Sender, story: Story, events: Sequence[Event]) -> None:
        began, start = time.monotonic(), events[0].at
        sent = 0
        while sent < len(events) and not self._stage.time_is_up:
            reached = start + (time.monotonic() - began) * SPEED
            while sent < len(events) and events[sent].at <= reached:
                await sender.send(events[sent])
                sent += 1
            await story.go_on(f"{datetime.fromtimestamp(events[sent - 1].at, UTC):%Y-%m-%d}  ")
            await asyncio.sleep(STEP_S)
        await sender.flush()

    def _judge(self) -> dict[str, Any]:
        recording, received = self._recording, self._stage.receivers.received
        losses = recording.losses()
        told = spells(received)
        found = [backing(losses, one, told[:number]) for number, one in enumerate(told)]
        worst = harm(losses)
        differences = strays(received, recording.team, recording.model, recording.version)
        for one, back in zip(told, found, strict=True):
            differences += faults(back, one)
        differences += missing(worst, told)
        self._tell(told, found, worst)
        return {
            "model": recording.model,
            **self._stage.receivers.report(),
            "oracle": {"stream": worst._asdict(), "pages": [back._asdict() for back in found]},
            "differences": differences,
        }

    def _tell(self, told: Sequence[Spell], found: Sequence[Backing], worst: Harm) -> None:
        say = self._stage.say
        say("what really happened, computed afterwards from the same predictions (error rates):")
        say(f"  first 30 days {worst.first:.3f}, worst 30 days {worst.worst:.3f}")
        for one, back in zip(told, found, strict=True):
            end = "resolved" if one.resolved_at is not None else "end of the stream"
            since = datetime.fromtimestamp(one.told["onset_at"], UTC)
            say(
                f"  page since {since:%Y-%m-%d} in {one.told['slice']}: {back.healthy:.3f} before,"
                f" {back.sick:.3f} until it was proven, {back.last:.3f} at the {end}"
            )


def spells(received: Sequence[Received]) -> list[Spell]:
    """Return the incidents that the webhooks told of, by the time of their pages."""
    hooks = [one.body for one in received if one.kind == "webhook" and one.signed]
    ends = {
        body["data"]["dedup_key"]: body["data"]["resolved_at"]
        for body in hooks
        if body["type"] == "incident.resolved"
    }
    opened = [body["data"] for body in hooks if body["type"] == "incident.opened"]
    return [
        Spell(told, ends.get(told["dedup_key"]))
        for told in sorted(opened, key=lambda told: told["detected_at"])
    ]


RECORDINGS: Mapping[str, Callable[[], Recording]] = {"elec2": elec2.record}
