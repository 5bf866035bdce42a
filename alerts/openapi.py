"""Core. The API as an OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from alerts.calendar import MATCHERS
from alerts.incident import STATES

TEXTS = {
    "acknowledge": (),
    "resolve": (),
    "comment": ("text",),
    "rollback": ("version",),
    "silence": ("for_s", "text"),
}
FAULTS = {
    "400": "What was asked for is wrong; says the field and what is wanted",
    "401": "No token, or a wrong one",
    "404": "None such for this token",
    "429": "Too many failures from this address",
    "503": "The incidents are still being read",
}


def document() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, Any] = {
        "/api/incidents": {"get": _operation("List incidents, unresolved ones first", _list_parameters())},
        "/api/incidents/{id}": {"get": _operation("One incident with its history", [_id()])},
    }
    for kind, required in TEXTS.items():
        operation = _operation(f"{kind.capitalize()}; a repeat changes nothing", [_id()])
        operation["responses"]["202"] = _response("Written to Kafka; it doesn't show yet")
        operation["requestBody"] = _body(required)
        paths[f"/api/incidents/{{id}}/{kind}"] = {"post": operation}
    paths |= _silences()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tidewatch pager", "version": "1"},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _silences() -> dict[str, Any]:
    """Return the calls about silences with matchers."""
    texts = {
        name: {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"\S"} for name in MATCHERS
    }
    asked = _body(("for_s", "text"))
    asked["content"]["application/json"]["schema"]["properties"] |= texts | {
        "owner": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"\S"},
        "starts_at": {"type": "number", "description": "Epoch seconds; from now on, within 30 days"},
    }
    asked["content"]["application/json"]["schema"]["anyOf"] = [{"required": [name]} for name in MATCHERS]
    setting = _operation("Keep what matches quiet: globs, at least one", []) | {"requestBody": asked}
    setting["responses"]["409"] = _response("Too many silences are set")
    ending = _operation("End a silence before its time", [_id()]) | {"requestBody": _body(())}
    for operation in (setting, ending):
        operation["responses"]["202"] = _response("Written to Kafka; it doesn't show yet")
    listing = _operation("List silences that are set and not over", [])
    return {
        "/api/silences": {"get": listing, "post": setting},
        "/api/silences/{id}/end": {"post": ending},
    }


def _operation(summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    responses = {"200": _response("What was asked for, as it is now")}
    responses |= {status: _response(meaning) for status, meaning in FAULTS.items()}
    return {"summary": summary, "parameters": parameters, "responses": responses}


def _response(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}


def _id() -> dict[str, Any]:
    return {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _list_parameters() -> list[dict[str, Any]]:
    schemas = {
        "state": {"type": "string", "enum": [*STATES]},
        "owner": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100},
    }
    return [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()]


def _body(required: tuple[str, ...]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "by": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"\S"},
        "text": {"type": "string", "minLength": 1, "maxLength": 4_000, "pattern": r"\S"},
    }
    fields |= {name: {"type": "string"} for name in ("model", "version")}
    fields["for_s"] = {"type": "number", "minimum": 1, "maximum": 604_800}
    optional = ("by", "model") if "version" in required else ("by",)
    wanted = {name: schema for name, schema in fields.items() if name in (*optional, *required)}
    schema = {"type": "object", "properties": wanted, "required": [*required]}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}
