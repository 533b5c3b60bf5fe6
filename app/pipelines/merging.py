"""Changing parts of a definition: JSON merge patch (RFC 7396) over its stored form."""

from __future__ import annotations

from typing import Any

import orjson

from app.kernel.errors import Malformed
from app.pipelines.definition import parse
from app.pipelines.models import Pipeline
from app.pipelines.service import Source


def merge_definition(pipeline: Pipeline, body: tuple[str, str]) -> Source:
    """Return the definition with the patch applied; raises DefinitionInvalid when the result is not valid."""
    text, form = body
    if form != "json":
        raise Malformed("Send a change as a JSON merge patch.")
    try:
        patch = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed("The body is not JSON.") from error
    if not isinstance(patch, dict):
        raise Malformed("The body is not an object.")
    merged = orjson.dumps(merge(pipeline.definition, patch)).decode()
    return Source(parse(merged, "json"), merged, "json")


def merge(target: Any, patch: Any) -> Any:
    """Return `target` with `patch` applied: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
