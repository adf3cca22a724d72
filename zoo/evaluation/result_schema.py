"""The JSON Schema of `result.json`, generated from its model: `python -m zoo.evaluation.result_schema` writes it."""

from __future__ import annotations

import json
from pathlib import Path

from zoo.evaluation.result import Result
from zoo.files import write_whole

SCHEMA_FILE = Path(__file__).with_name("result.schema.json")


def schema_text() -> str:
    """The schema, ready to be written."""
    return json.dumps(Result.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    write_whole(SCHEMA_FILE, schema_text())
