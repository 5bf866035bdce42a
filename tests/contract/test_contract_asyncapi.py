"""The AsyncAPI document passes AsyncAPI's own parser."""

from __future__ import annotations

import json
from typing import Any

from stream import contract
from tests import npm

SCRIPT = """
const { Parser } = require("@asyncapi/parser");
const text = require("fs").readFileSync(0, "utf8");
new Parser().parse(text).then((answer) => console.log(JSON.stringify(
  { document: !!answer.document, errors: answer.diagnostics.filter((fault) => fault.severity === 0) }
)));
"""


def parsed(document: Any) -> Any:
    return npm.run(SCRIPT, document)


def test_the_asyncapi_parser_accepts_the_document() -> None:
    written = json.loads((contract.DOCS / "contract" / "asyncapi.json").read_text(encoding="utf-8"))
    assert parsed(written) == {"document": True, "errors": []}


def test_the_asyncapi_parser_would_refuse_a_wrong_binding() -> None:
    document = contract.asyncapi()
    document["channels"]["findings"]["bindings"]["kafka"]["partitions"] = "eight"
    answer = parsed(document)
    assert not answer["document"]
    assert any("partitions" in fault["path"] for fault in answer["errors"])
