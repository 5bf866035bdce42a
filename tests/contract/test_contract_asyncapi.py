"""The AsyncAPI document passes AsyncAPI's own parser, where node and the parser are installed.

``TIDEWATCH_ASYNCAPI_PARSER`` names a folder in which ``npm install @asyncapi/parser@3.6.3`` was run.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stream import contract

SCRIPT = """
const { Parser } = require("@asyncapi/parser");
const text = require("fs").readFileSync(0, "utf8");
new Parser().parse(text).then((answer) => console.log(JSON.stringify(
  { document: !!answer.document, errors: answer.diagnostics.filter((fault) => fault.severity === 0) }
)));
"""


@pytest.fixture
def parse():
    folder = Path(os.environ.get("TIDEWATCH_ASYNCAPI_PARSER", ""))
    if not shutil.which("node") or not (folder / "node_modules" / "@asyncapi" / "parser").is_dir():
        pytest.skip(
            "NOT SHOWN: that AsyncAPI's own parser accepts docs/contract/asyncapi.json;"
            " want node, and TIDEWATCH_ASYNCAPI_PARSER naming a folder with @asyncapi/parser in node_modules"
        )

    def run(document):
        done = subprocess.run(
            ["node", "-e", SCRIPT],
            input=json.dumps(document),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return json.loads(done.stdout)

    return run


def test_the_asyncapi_parser_accepts_the_document(parse):
    answer = parse(json.loads((contract.DOCS / "contract" / "asyncapi.json").read_text(encoding="utf-8")))
    assert answer == {"document": True, "errors": []}


def test_the_asyncapi_parser_would_refuse_a_wrong_binding(parse):
    document = contract.asyncapi()
    document["channels"]["findings"]["bindings"]["kafka"]["partitions"] = "eight"
    answer = parse(document)
    assert not answer["document"]
    assert any("partitions" in fault["path"] for fault in answer["errors"])
