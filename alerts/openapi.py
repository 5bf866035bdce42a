"""Core. The API as an OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from alerts.incident import STATES

TEXTS = {"acknowledge": (), "resolve": (), "comment": ("text",)}
FAULTS = {
    "400": "What was asked for is wrong; says the field and what is wanted",
    "401": "No token, or a wrong one",
    "404": "No such incident for this token",
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
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tidewatch pager", "version": "1"},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    responses = {"200": _response("The incident, or the incidents")}
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
    fields = {
        "by": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"\S"},
        "text": {"type": "string", "minLength": 1, "maxLength": 4_000, "pattern": r"\S"},
    }
    wanted = {name: schema for name, schema in fields.items() if name == "by" or name in required}
    schema = {"type": "object", "properties": wanted, "required": [*required]}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}
