"""Edge. Writes the contract from the types: JSON Schema for each record, and the AsyncAPI document.

``python -m stream.contract`` writes ``docs/contract/``; with ``--check`` it only says whether the files there
are what the types say, and exits with 1 if they are not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from msgspec import Struct

from stream.events import Finding, Instant, Outcome, Prediction, Rollout
from stream.fields import CLOUD_EVENT_HEADERS, DEAD_LETTER_HEADERS, EVENT_FIELDS, FINDING_FIELDS
from stream.instant import PATTERN
from stream.settings import TopicSettings
from stream.telemetry import DEAD_LETTER_REASONS

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "contract"
CONTRACT_VERSION = "1.0.0"
"""Rises in the middle when a field is added; the first number never rises."""

RECORDS: Final[Mapping[str, type[Struct]]] = {
    "prediction": Prediction,
    "outcome": Outcome,
    "rollout": Rollout,
    "finding": Finding,
}

EXAMPLES: Final[Mapping[str, list[dict[str, Any]]]] = {
    "prediction": [
        {
            "type": "prediction",
            "prediction_id": "ride-20260301-000017",
            "model": "cancel-risk",
            "version": "2026-02-20",
            "at": "2026-03-01T08:30:00.250Z",
            "prediction": True,
            "scores": 0.83,
            "slices": {"country": "pt", "airport": False},
            "features": {"distance_km": 7.4, "payment": "card", "driver_rating": None},
        },
        {
            "type": "prediction",
            "prediction_id": "ride-20260301-000017",
            "model": "arrival-minutes",
            "version": "14",
            "at": 1772353800.25,
            "prediction": 12.5,
        },
        {
            "type": "prediction",
            "prediction_id": "photo-88",
            "model": "document-kind",
            "version": "3",
            "at": 1772353800250,
            "prediction": "passport",
            "scores": {"passport": 0.9, "licence": 0.1},
        },
    ],
    "outcome": [
        {
            "type": "outcome",
            "prediction_id": "ride-20260301-000017",
            "model": "cancel-risk",
            "at": "2026-03-01T08:41:12+00:00",
            "outcome": False,
        }
    ],
    "rollout": [
        {
            "type": "rollout",
            "model": "cancel-risk",
            "version": "2026-03-01",
            "at": "2026-03-01T07:00:00Z",
            "stage": "canary",
            "trained_until": "2026-02-28T00:00:00Z",
            "traffic_share": 0.05,
        }
    ],
    "finding": [
        {
            "type": "finding",
            "id": "cancel-risk/2026-02-20/country=pt/accuracy/1",
            "state": "open",
            "severity": "page",
            "model": "cancel-risk",
            "version": "2026-02-20",
            "slice": "country=pt",
            "metric": "accuracy",
            "direction": "worse",
            "before": 0.91,
            "after": 0.55,
            "before_count": 812,
            "after_count": 96,
            "onset_at": 1772353800.0,
            "detected_at": 1772354100.0,
            "events_since_onset": 96,
            "episode": 1,
            "examples": ["ride-20260301-000017"],
            "causes": [],
            "closed_at": None,
            "proven_at": 1772354100.5,
            "summary": "cancel-risk 2026-02-20 in country=pt: accuracy 0.91 before, 0.55 since 08:30.",
        }
    ],
}

_INFO: Final[Mapping[str, Any]] = {
    "title": "Tidewatch",
    "version": CONTRACT_VERSION,
    "description": "Events that services send to Tidewatch, and findings that it answers with."
    " Changes only by adding fields: readers pass over fields that they do not know.",
    "license": {"name": "Apache-2.0"},
}
_OPERATIONS: Final[Mapping[str, tuple[str, str, str]]] = {
    "receivePredictions": ("receive", "predictions", "Reads what models said."),
    "receiveOutcomes": ("receive", "outcomes", "Reads what really happened."),
    "receiveRollouts": ("receive", "rollouts", "Reads which version serves at which stage."),
    "sendFindings": ("send", "findings", "Says that a model got worse, or that this is over."),
    "sendDeadLetters": ("send", "deadLetters", "Keeps what could not be read, with the reason."),
}


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one record, named by its ``type``."""
    made = _record_schema(name)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:tidewatch:{name}"}
    return head | made


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document: the topics with their default names, keys, headers and messages."""
    topics = TopicSettings.model_validate({})
    return {
        "asyncapi": "3.0.0",
        "id": "urn:tidewatch",
        "info": _INFO,
        "defaultContentType": "application/json",
        "channels": {
            "predictions": _channel("prediction", topics.predictions, topics),
            "outcomes": _channel("outcome", topics.outcomes, topics),
            "rollouts": _channel("rollout", topics.rollouts, topics),
            "findings": _channel("finding", topics.findings, topics),
            "deadLetters": _channel("deadLetter", topics.dead_letters, topics),
        },
        "operations": {name: _operation(*parts) for name, parts in _OPERATIONS.items()},
        "components": {
            "messages": {name: _message(name) for name in RECORDS} | {"deadLetter": _dead_letter()},
            "schemas": {name: _record_schema(name) for name in RECORDS},
        },
    }


def documents() -> dict[str, str]:
    """Return every file of the contract folder that is generated: name to text."""
    made = {f"{name}.schema.json": schema(name) for name in RECORDS} | {"asyncapi.json": asyncapi()}
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in made.items()}


def drift(folder: Path) -> list[str]:
    """Return the names of generated files that are missing in ``folder`` or differ; empty if none are."""
    return [
        name
        for name, text in documents().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def _record_schema(name: str) -> dict[str, Any]:
    record = RECORDS[name]
    _, components = msgspec.json.schema_components([record], schema_hook=_instant_schema)
    made: dict[str, Any] = components[record.__name__]
    words = FINDING_FIELDS if record is Finding else EVENT_FIELDS
    made["description"] = " ".join(made["description"].split()).replace("``", "")
    made["properties"] = {
        field: {"description": words[field]} | content for field, content in made["properties"].items()
    }
    return made | {"examples": EXAMPLES[name]}


def _instant_schema(kind: type) -> dict[str, Any]:
    if kind is not Instant:
        raise NotImplementedError(f"no schema for {kind}")
    return {"anyOf": [{"type": "string", "format": "date-time", "pattern": PATTERN}, {"type": "number"}]}


def _channel(message: str, address: str, topics: TopicSettings) -> dict[str, Any]:
    return {
        "address": address,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "topic": address,
                "partitions": topics.partitions,
                "replicas": topics.replication,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _message(name: str) -> dict[str, Any]:
    message = {
        "name": name,
        "title": name.capitalize(),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": _keyed(
            "The model's name in UTF-8. Producers must place it with Kafka's murmur2 partitioner."
        ),
        "examples": [{"payload": example} for example in EXAMPLES[name]],
    }
    return message if name == "finding" else message | {"headers": _headers(CLOUD_EVENT_HEADERS)}


def _dead_letter() -> dict[str, Any]:
    headers = _headers(DEAD_LETTER_HEADERS)
    headers["properties"]["tidewatch_reason"]["enum"] = list(DEAD_LETTER_REASONS)
    headers["required"] = list(DEAD_LETTER_HEADERS)
    return {
        "name": "deadLetter",
        "title": "Dead letter",
        "summary": "A refused record: its own key, value and headers, and headers that say why.",
        "contentType": "application/octet-stream",
        "headers": headers,
        "payload": {"description": "The original bytes, whatever they are; null stays null."},
        "bindings": _keyed("The refused record's own key."),
    }


def _headers(words: Mapping[str, str]) -> dict[str, Any]:
    described = {name: {"type": "string", "description": text} for name, text in words.items()}
    return {"type": "object", "properties": described}


def _keyed(description: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": description}, "bindingVersion": "0.5.0"}}


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a file is not what the types say.")
def main(check: bool) -> None:
    """Write docs/contract/ from the types."""
    if check:
        old = drift(FOLDER)
        if old:
            raise click.ClickException(
                f"{', '.join(old)} in {FOLDER}: want `python -m stream.contract` run again"
            )
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        click.echo(FOLDER / name)


if __name__ == "__main__":
    main()
