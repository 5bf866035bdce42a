"""Shell. ``tidewatch check-events FILE``: tells a producer's developer what is wrong, line by line."""

from __future__ import annotations

import difflib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Literal, NamedTuple, cast

import click

from stream.events import Event, Outcome, Prediction
from stream.instant import read_instant
from stream.kinds import HAPPENED, HAPPENED_KINDS, PREDICTED, VALUE, kinds_of, mismatches
from stream.lines import lines_of, opened
from stream.refusal import DecodeError, Refusal, encodable
from stream.settings import WorkerSettings
from stream.wire import EVENTS, MAX_BYTES, decode_event, event_faults, headers_in_file, unwrap

ID_BUDGET = 1_000_000
"""How many prediction ids are remembered to find duplicates and outcomes without a prediction."""

_SHOWN = 80  # characters of a name
_NAMED = 10  # ids or unknown names that a note lists
_NAME_BUDGET = 1_000
_WORKER = WorkerSettings()
TOLERANCE = _WORKER.tolerance


class Remark(NamedTuple):
    """One thing to say of a file. Faults would be refused, warnings not; notes are about the whole file."""

    level: Literal["fault", "warning", "note"]
    line: int
    """1-based; 0 for the whole file."""
    reason: str
    text: str
    field: str = ""
    value: str = ""
    wanted: str = ""


class Check:
    """What is known of a file so far; ``look`` at each line, then ask for ``notes`` and ``summary``."""

    def __init__(self, received_at: float, id_budget: int = ID_BUDGET) -> None:
        self._received_at = received_at
        self._id_budget = id_budget
        self._seen: dict[int, int] = {}
        self._first_outcomes: dict[int, str] = {}
        self._tasks: dict[int, bool] = {}
        self._budget_hit_at = 0
        self._unknown: Counter[str] = Counter()
        self.lines = 0
        self.types: Counter[str] = Counter(dict.fromkeys(EVENTS, 0))
        self.faults: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.corrections = 0
        self._pretty_at = 0

    def look(self, number: int, line: bytes) -> Iterator[Remark]:
        """Yield what is to be said of one line. Blank lines are passed over."""
        if not line.strip():
            return
        self.lines += 1
        if self.lines == 1 and line.strip() in (b"{", b"["):
            self._pretty_at = number
        try:
            line = unwrap(line, headers_in_file(line))[0] or b""
        except DecodeError as fault:
            yield self._fault(number, fault)
            return
        try:
            event = decode_event(line, self._received_at, TOLERANCE)
        except DecodeError:
            yield from self._faults(number, line)
        else:
            self.types[event.__struct_config__.tag] += 1  # type: ignore[index]
            yield from self._joined(number, event)
        yield from self._unknown_fields(number, line)

    def notes(self) -> Iterator[Remark]:
        """Yield what only the whole file shows; a file without a line in it is a fault."""
        if not self.lines:
            self.faults["no_events"] += 1
            yield Remark("fault", 0, "no_events", "no events: want one JSON object a line")
        if self._pretty_at:
            text = "one event over several lines? want one JSON object a line, as jq -c writes it"
            yield Remark("note", self._pretty_at, "pretty", text)
        if self._budget_hit_at:
            yield Remark(
                "note",
                self._budget_hit_at,
                "id_budget",
                f"the budget of {self._id_budget:,} prediction ids is used up here: from here on, duplicates"
                " are not found, and outcomes without a prediction not looked for",
            )
            return
        alone = [key for key, state in self._seen.items() if not state & PREDICTED]
        if alone:
            some = ", ".join(
                self._first_outcomes[key] for key in alone[:_NAMED] if key in self._first_outcomes
            )
            text = f"outcomes without a prediction in this file: {len(alone):,}" + (
                f": {some}" if some else ""
            )
            yield Remark("note", 0, "outcome_without_prediction", text)

    def summary(self) -> dict[str, object]:
        """Return the counts; ``predictions_without_outcome`` is ``None`` when the id budget was hit."""
        waiting = sum(not state & HAPPENED for state in self._seen.values())
        return {
            "lines": self.lines,
            "events": dict(self.types),
            "faults": dict(sorted(self.faults.items())),
            "warnings": dict(sorted(self.warnings.items())),
            "unknown_fields": dict(sorted(self._unknown.items())),
            "corrected_outcomes": self.corrections,
            "predictions_without_outcome": None if self._budget_hit_at else waiting,
        }

    def _faults(self, number: int, line: bytes) -> Iterator[Remark]:
        for fault in event_faults(line, self._received_at, TOLERANCE):
            yield self._fault(number, fault)

    def _fault(self, number: int, fault: DecodeError) -> Remark:
        self.faults[fault.reason] += 1
        if fault.reason is Refusal.OVERSIZE:  # the rest of the line was not kept
            fault = DecodeError(fault.reason, fault.field, f"of more than {MAX_BYTES} bytes", fault.wanted)
        text = str(fault)
        if fault.reason is Refusal.UNKNOWN_TYPE:
            text += _meant(json.loads(fault.value) if fault.value.endswith('"') else "", EVENTS)
        return Remark("fault", number, fault.reason, text, fault.field, fault.value, fault.wanted)

    def _joined(self, number: int, event: Event) -> Iterator[Remark]:
        if not isinstance(event, Prediction | Outcome):
            return
        key = hash((event.model, event.prediction_id))
        state, kinds = self._seen.get(key, 0), kinds_of(event)
        if not state and len(self._seen) >= self._id_budget:
            self._budget_hit_at = self._budget_hit_at or number
            return
        if isinstance(event, Outcome):
            self.corrections += bool(state & HAPPENED)
            if not state and len(self._first_outcomes) < _NAME_BUDGET:
                self._first_outcomes[key] = f"{event.prediction_id} (line {number})"
            compared = state & ~HAPPENED_KINDS | kinds  # those before were told
        elif state & PREDICTED:
            text = "seen before; only the first one counts, of whichever version"
            yield self._warning(number, "duplicate_prediction", event, text)
            return
        else:
            compared = state | kinds
            if self._is_other_task(event, kinds):
                first = "a class" if kinds & VALUE else "a number without scores"
                text = (
                    f"the first of version {json.dumps(event.version)} was {first}: this counts as mismatched"
                )
                yield self._warning(number, "other_task", event, text)
        self._seen[key] = state | kinds
        for fault in mismatches(compared):
            yield self._warning(number, "mismatched", event, f"{fault}; this counts as mismatched")

    def _is_other_task(self, event: Prediction, kinds: int) -> bool:
        """Return whether a version's first prediction in the file was a class and this is none, or the reverse."""
        key, is_value = hash((event.model, event.version)), bool(kinds & VALUE)
        if len(self._tasks) < _NAME_BUDGET:
            self._tasks.setdefault(key, is_value)
        return self._tasks.get(key, is_value) != is_value

    def _warning(self, number: int, reason: str, event: Prediction | Outcome, text: str) -> Remark:
        self.warnings[reason] += 1
        text = f"prediction_id {json.dumps(event.prediction_id)}: {text}"
        return Remark("warning", number, reason, text, "prediction_id", event.prediction_id)

    def _unknown_fields(self, number: int, line: bytes) -> Iterator[Remark]:
        """Say each unknown name once, where it is first seen."""
        if len(line) > MAX_BYTES:
            return
        try:
            tree = json.loads(line)
        except (ValueError, RecursionError):
            return
        record = EVENTS.get(str(tree.get("type"))) if isinstance(tree, dict) else None
        if record is None:
            return
        known = ("type", *record.__struct_encode_fields__)
        for name in (encodable(name) for name in tree if name not in known):
            self.warnings["unknown_field"] += 1
            told = name in self._unknown
            if told or len(self._unknown) < _NAME_BUDGET:
                self._unknown[name] += 1
            if not told:
                text = f"{name[:_SHOWN]}: no field of type {tree['type']}, passed over{_meant(name, known)}"
                yield Remark("warning", number, "unknown_field", text, name)


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), list(known), 1, 0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


@contextmanager
def _standard_input() -> Iterator[BufferedReader]:
    if sys.stdin is None:
        raise click.UsageError("-: standard input is closed")
    yield cast(BufferedReader, sys.stdin.buffer)


def _instant(_: click.Context, __: click.Parameter, value: str | None) -> float:
    if value is None:
        return time.time()
    try:
        return read_instant(float(value) if value.replace(".", "", 1).isdecimal() else value)
    except ValueError as fault:
        raise click.BadParameter(f'"{value}": want {fault}') from None


def _print_text(remark: Remark) -> None:
    where = f"line {remark.line}: " if remark.line else ""
    level = "" if remark.level == "fault" else f"{remark.level}: "
    click.echo(f"{where}{level}{remark.text}")


def _print_json(remark: Remark) -> None:
    click.echo(json.dumps(remark._asdict(), ensure_ascii=False))


def _summary_text(check: Check) -> str:
    def counted(words: Counter[str]) -> str:
        inner = ", ".join(f"{name} {count:,}" for name, count in sorted(words.items()))
        return f"{words.total():,}" + (f" ({inner})" if inner else "")

    events = ", ".join(f"{count:,} {name}s" for name, count in check.types.items())
    found = f"faults: {counted(check.faults)}; warnings: {counted(check.warnings)}"
    return f"{check.lines:,} lines: {events}; {found}"


def _run(check: Check, lines: Iterable[bytes], most: int, say: Callable[[Remark], None]) -> int:
    """Say at most ``most`` remarks on lines, then the notes; return how many were left unsaid."""
    said = 0
    for number, line in enumerate(lines, 1):
        for remark in check.look(number, line):
            said += 1
            if said <= most:
                say(remark)
    for note in check.notes():
        say(note)
    return max(0, said - most)


@click.command("check-events")
@click.argument("file")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line; the last one is the summary."
)
@click.option(
    "--max", "most", type=click.IntRange(min=0), default=100, show_default=True, help="Remarks to print."
)
@click.option(
    "--received-at", callback=_instant, help="Judge times as if Kafka got the events then. [default: now]"
)
def check_events(file: str, as_json: bool, most: int, received_at: float) -> None:
    """Say what is wrong with the events in FILE, one JSON object a line.

    FILE may be gzipped; "-" is standard input. Exit code 0: no faults; 1: faults; 2: FILE can't be read.
    """
    check = Check(received_at)
    with _standard_input() if file == "-" else opened(Path(file)) as raw:
        unsaid = _run(check, lines_of(raw, file), most, _print_json if as_json else _print_text)
    if as_json:
        click.echo(json.dumps({"summary": check.summary() | {"unsaid": unsaid}}, ensure_ascii=False))
    else:
        click.echo((f"... and {unsaid:,} more\n" if unsaid else "") + _summary_text(check))
    if check.faults:
        raise SystemExit(1)


if __name__ == "__main__":
    check_events()
