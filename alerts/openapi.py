"""Core. The API as an OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

import msgspec

from alerts.calendar import MATCHERS
from alerts.command import Kind
from alerts.incident import STATES, Comment, Notification, Part

ASKED: dict[Kind, tuple[str, ...]] = {
    "acknowledge": (),
    "resolve": (),
    "comment": ("text",),
    "rollback": ("version", "model"),
    "silence": ("for_s", "text"),
}
"""The fields of each command's body beside ``by``."""
OPTIONAL = ("by", "model")
FAULTS = {
    "400": "What was asked for is wrong; says the field and what is wanted",
    "401": "No token, or a wrong one",
    "404": "No such one for this token",
    "413": "The body has more than 16 KiB",
    "429": "No token, or a wrong one, after too many of those from this address",
    "503": "The incidents are still being read, or Kafka takes no command",
}
BODIED = ("413",)
"""Answers that only a call with a body can have."""
TEXT: dict[str, Any] = {"type": "string"}
TEXT_OR_NONE: dict[str, Any] = {"type": ["string", "null"]}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
INSTANT: dict[str, Any] = {"type": "number", "description": "Epoch seconds"}
INSTANT_OR_NONE: dict[str, Any] = {"type": ["number", "null"], "description": "Epoch seconds"}
SAID: dict[str, Any] = {"type": "string", "minLength": 1, "pattern": r"\S"}
FIELDS: dict[str, dict[str, Any]] = {
    "by": SAID | {"maxLength": 100},
    "text": SAID | {"maxLength": 4_000},
    "model": TEXT,
    "version": TEXT,
    "for_s": {"type": "number", "minimum": 1, "maximum": 604_800},
}
AFTER_S: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 2_592_000, "default": 0}
NUMBER: dict[str, Any] = {"type": "number"}
SEVERITY: dict[str, Any] = {"type": "string", "enum": ["page", "ticket"]}
TEXTS_OF: dict[str, Any] = {"type": "array", "items": TEXT}
BRIEF: dict[str, Any] = {
    "incident_id": TEXT,
    "state": {"type": "string", "enum": [*STATES]},
    "severity": SEVERITY,
    "owner": TEXT,
    "model": TEXT,
    "summary": TEXT,
    "episode": COUNT,
    "cause": TEXT_OR_NONE,
    "model_count": COUNT,
    "opened_at": INSTANT,
    "changed_at": INSTANT,
}
WHOLE: dict[str, Any] = BRIEF | {
    "dedup_key": TEXT,
    "resolved_at": INSTANT_OR_NONE,
    "acknowledged_by": TEXT_OR_NONE,
    "resolved_by": TEXT_OR_NONE,
    "acknowledged_at": INSTANT_OR_NONE,
    "muted_by": TEXT_OR_NONE,
    "muted_until": INSTANT_OR_NONE,
    "objective": TEXT_OR_NONE,
    "worst": TEXTS_OF,
    "findings": TEXTS_OF,
    "finding_count": COUNT,
    "incident_url": TEXT_OR_NONE,
    "runbook_url": TEXT_OR_NONE,
    "version": TEXT,
    "slice": TEXT,
    "metric": TEXT,
    "feature": TEXT_OR_NONE,
    "label": TEXT_OR_NONE,
    "direction": TEXT,
    "before": NUMBER,
    "after": NUMBER,
    "before_count": COUNT,
    "after_count": COUNT,
    "onset_at": INSTANT,
    "detected_at": INSTANT,
    "proven_at": INSTANT_OR_NONE,
    "events_since_onset": COUNT,
    "examples": TEXTS_OF,
    "causes": TEXTS_OF,
    "notifications": {"type": "array", "items": {"$ref": "#/components/schemas/Notification"}},
    "comments": {"type": "array", "items": {"$ref": "#/components/schemas/Comment"}},
    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
    "rollbacks": {"type": "array", "items": {"$ref": "#/components/schemas/Rollback"}},
}
SILENCE: dict[str, Any] = dict.fromkeys(("id", "author", "reason", *MATCHERS), TEXT) | {
    "owner": TEXT_OR_NONE,
    "starts_at": INSTANT,
    "ends_at": INSTANT,
}
ROLLBACK: dict[str, Any] = {
    "model": TEXT,
    "version": TEXT,
    "rolled_out_at": INSTANT,
    "asked_by": TEXT_OR_NONE,
    "asked_at": INSTANT_OR_NONE,
    "result": TEXT_OR_NONE,
}


def document() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, Any] = {
        "/api/incidents": {
            "get": _operation("List incidents, unresolved ones first", _list_parameters(), "Incidents")
        },
        "/api/incidents/{id}": {"get": _operation("One incident with its history", [_id()], "Incident")},
    }
    for kind, fields in ASKED.items():
        operation = _operation(f"{kind.capitalize()}; a repeat changes nothing", [_id()], "Incident")
        operation["responses"]["202"] = _response("Written to Kafka; it doesn't show yet", "Accepted")
        operation["responses"] |= {status: _response(FAULTS[status], "Fault") for status in BODIED}
        if kind == "rollback":
            operation["responses"]["409"] = _response(
                "The incident doesn't blame this version, or has resolved", "Fault"
            )
        operation["requestBody"] = _body(fields)
        paths[f"/api/incidents/{{id}}/{kind}"] = {"post": operation}
    paths |= _silences()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tidewatch pager", "version": "1"},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _silences() -> dict[str, Any]:
    """Return the calls about silences with matchers."""
    setting = _operation("Keep what matches quiet: globs, at least one", [], "Silence")
    setting["requestBody"] = _body(("for_s", "text"))
    wanted = setting["requestBody"]["content"]["application/json"]["schema"]
    wanted["properties"] |= {name: SAID | {"maxLength": 200} for name in MATCHERS}
    wanted["properties"] |= {"owner": SAID | {"maxLength": 100}, "after_s": AFTER_S}
    wanted["anyOf"] = [{"required": [name]} for name in MATCHERS]
    setting["responses"]["409"] = _response("Too many silences are set", "Fault")
    ending = _operation("End a silence before its time", [_id()], "Silence")
    ending["requestBody"] = _body(())
    for operation in (setting, ending):
        operation["responses"]["202"] = _response("Written to Kafka; it doesn't show yet", "Silence")
        operation["responses"] |= {status: _response(FAULTS[status], "Fault") for status in BODIED}
    listing = _operation("List silences that are set and not over", [], "Silences")
    return {
        "/api/silences": {"get": listing, "post": setting},
        "/api/silences/{id}/end": {"post": ending},
    }


def _schemas() -> dict[str, Any]:
    _, derived = msgspec.json.schema_components(
        (Notification, Comment, Part), ref_template="#/components/schemas/{name}"
    )
    listed = {"type": "array", "items": {"$ref": "#/components/schemas/Brief"}}
    silences = {"type": "array", "items": {"$ref": "#/components/schemas/Silence"}}
    return derived | {
        "Incident": _object(WHOLE),
        "Incidents": _object({"count": COUNT, "incidents": listed}),
        "Brief": _object(BRIEF),
        "Rollback": _object(ROLLBACK),
        "Silence": _object(SILENCE),
        "Silences": _object({"count": COUNT, "silences": silences}),
        "Accepted": _object({"accepted": {"const": True}}),
        "Fault": _object({"error": TEXT}),
    }


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": [*fields]}


def _operation(summary: str, parameters: list[dict[str, Any]], answer: str) -> dict[str, Any]:
    faults = {status: _response(said, "Fault") for status, said in FAULTS.items() if status not in BODIED}
    responses = {"200": _response("As it is now", answer)} | faults
    return {"summary": summary, "parameters": parameters, "responses": responses}


def _response(description: str, schema: str) -> dict[str, Any]:
    shape = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {"application/json": {"schema": shape}}}


def _id() -> dict[str, Any]:
    return {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _list_parameters() -> list[dict[str, Any]]:
    schemas = {
        "state": {"type": "string", "enum": [*STATES]},
        "owner": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100},
    }
    return [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()]


def _body(names: tuple[str, ...]) -> dict[str, Any]:
    fields = {name: FIELDS[name] for name in ("by", *names)}
    required = [name for name in names if name not in OPTIONAL]
    schema = {"type": "object", "properties": fields, "required": required, "additionalProperties": False}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}
