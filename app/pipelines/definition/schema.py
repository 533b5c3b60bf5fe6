"""The published JSON Schema of headrace.yml, for editors. It says of the structure exactly what the parser says."""

from typing import Any, Final

from app.pipelines.definition.pipeline_keys import PIPELINE

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema as JSON. It knows no names, references or expressions: `parse` checks those."""
    return {
        "$schema": _DIALECT,
        "$id": "urn:headrace:schema:pipeline:1",
        "title": "Headrace pipeline",
        **PIPELINE.schema(),
    }
