"""Edge. Writes the contract from the types: JSON Schema for each record, and the AsyncAPI document.

``python -m stream.contract`` writes ``docs/contract/`` and the tables of ``docs/producers.md``; with
``--check`` it only says whether they are what the types say, and exits with 1 if they are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from msgspec import Struct

from stream.events import Errors, Finding, Instant, Outcome, Prediction, Rollout
from stream.fields import (
    CLOUD_EVENT_HEADERS,
    CUT_HEADERS,
    DEAD_LETTER_HEADERS,
    ERRORS_FIELDS,
    EVENT_FIELDS,
    EXAMPLES,
    FINDING_FIELDS,
)
from stream.instant import PATTERN
from stream.refusal import WANTED, Refusal
from stream.settings import TopicSettings

DOCS = Path(__file__).resolve().parent.parent / "docs"
CONTRACT_VERSION = "1.2.0"
"""Rises in the middle when a field is added; the first number never rises."""

RECORDS: Final[Mapping[str, type[Struct]]] = {
    "prediction": Prediction,
    "outcome": Outcome,
    "rollout": Rollout,
    "finding": Finding,
    "errors": Errors,
}
WORDS: Final[Mapping[str, Mapping[str, str]]] = {"finding": FINDING_FIELDS, "errors": ERRORS_FIELDS}
"""What the fields of a record mean that is no event."""

_ABOUT: Final[Mapping[str, Any]] = {
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
    "sendFindings": (
        "send",
        "findings",
        "Says that a model got worse, how wrong it is, that this is over; passes rollouts on.",
    ),
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
        "info": _ABOUT,
        "defaultContentType": "application/json",
        "channels": {
            "predictions": _channel(("prediction",), topics.predictions, topics),
            "outcomes": _channel(("outcome",), topics.outcomes, topics),
            "rollouts": _channel(("rollout",), topics.rollouts, topics),
            "findings": _channel(("finding", "errors", "rollout"), topics.findings, topics),
            "deadLetters": _channel(("deadLetter",), topics.dead_letters, topics),
        },
        "operations": {name: _operation(*parts) for name, parts in _OPERATIONS.items()},
        "components": {
            "messages": {name: _message(name) for name in RECORDS} | {"deadLetter": _dead_letter()},
            "schemas": {name: _record_schema(name) for name in RECORDS},
        },
    }


def field_table(name: str) -> str:
    """Return one record's fields as a Markdown table: name, whether required, what it wants and means."""
    head = "| field | must be there | wanted | meaning |\n|---|---|---|---|\n"
    made = _record_schema(name)
    rows = (
        f"| `{field}` | {'yes' if field in made['required'] else ''} | {_wanted(name, field)} | {words} |\n"
        for field, words in (
            (field, made["properties"][field]["description"]) for field in made["properties"]
        )
    )
    return head + "".join(rows)


def documents(docs: Path = DOCS) -> dict[str, str]:
    """Return everything that is generated: path within ``docs`` to text. Prose around the tables is kept."""
    made = {f"contract/{name}.schema.json": schema(name) for name in RECORDS}
    texts = {
        path: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for path, content in (made | {"contract/asyncapi.json": asyncapi()}).items()
    }
    return texts | {"producers.md": _with_tables((docs / "producers.md").read_text(encoding="utf-8"))}


def drift(docs: Path = DOCS) -> list[str]:
    """Return the generated files that are missing in ``docs`` or differ; empty if none are."""
    return [
        path
        for path, text in documents(docs).items()
        if not (docs / path).is_file() or (docs / path).read_text(encoding="utf-8") != text
    ]


def _with_tables(text: str) -> str:
    """Replace the table between each pair of ``<!-- fields: NAME -->`` and ``<!-- end -->``."""
    return re.sub(
        r"(<!-- fields: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{field_table(found[2])}{found[3]}",
        text,
        flags=re.DOTALL,
    )


def _wanted(name: str, field: str) -> str:
    if field == "type":
        return f'`"{name}"`'
    entries = WANTED.get(f"{field}.*")
    return WANTED[field] + (f"; each is {entries}" if entries else "")


def _record_schema(name: str) -> dict[str, Any]:
    record = RECORDS[name]
    _, components = msgspec.json.schema_components([record], schema_hook=_instant_schema)
    made: dict[str, Any] = components[record.__name__]
    words = WORDS.get(name, EVENT_FIELDS)
    made["description"] = " ".join(made["description"].split()).replace("``", "")
    made["properties"] = {
        field: {"description": words[field]} | _whole(content, components)
        for field, content in made["properties"].items()
    }
    return made | {"examples": EXAMPLES[name]}


def _whole(content: Any, components: Mapping[str, Any]) -> Any:
    """Return a schema with the records that it refers to in their places, so that each document stands alone."""
    if not isinstance(content, dict):
        return content
    if "$ref" in content:
        return _whole(components[content["$ref"].rpartition("/")[2]], components)
    return {key: _whole(value, components) for key, value in content.items()}


def _instant_schema(kind: type) -> dict[str, Any]:
    if kind is not Instant:
        raise NotImplementedError(f"no schema for {kind}")
    return {"anyOf": [{"type": "string", "format": "date-time", "pattern": PATTERN}, {"type": "number"}]}


def _channel(messages: Sequence[str], address: str, topics: TopicSettings) -> dict[str, Any]:
    return {
        "address": address,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
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
    return message if name in WORDS else message | {"headers": _headers(CLOUD_EVENT_HEADERS)}


def _dead_letter() -> dict[str, Any]:
    headers = _headers({**DEAD_LETTER_HEADERS, **CUT_HEADERS})
    headers["properties"]["tidewatch_reason"]["enum"] = list(Refusal)
    headers["required"] = list(DEAD_LETTER_HEADERS)
    return {
        "name": "deadLetter",
        "title": "Dead letter",
        "summary": "A refused record: its own key, value and headers, then headers that say why.",
        "contentType": "application/octet-stream",
        "headers": headers,
        "payload": {
            "description": "The original bytes, whatever they are, or the first of them; none stand for null."
        },
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
    """Write the contract from the types."""
    if check:
        old = drift()
        if old:
            raise click.ClickException(
                f"{', '.join(old)} in {DOCS}: want `python -m stream.contract` run again"
            )
        return
    (DOCS / "contract").mkdir(exist_ok=True)
    for path, text in documents().items():
        (DOCS / path).write_text(text, encoding="utf-8")
        click.echo(DOCS / path)


if __name__ == "__main__":
    main()
