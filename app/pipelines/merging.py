"""Changing parts of a definition: JSON merge patch (RFC 7396) over its stored form."""

from __future__ import annotations

from typing import Any

import orjson

from app.pipelines.definition import parse
from app.pipelines.models import Pipeline
from app.pipelines.service import Source


def merge_definition(pipeline: Pipeline, patch: dict[str, Any], executors: frozenset[str]) -> Source:
    """Return the definition with the patch applied; raises DefinitionInvalid when the result is not valid."""
    merged = orjson.dumps(merge(pipeline.definition, patch)).decode()
    return Source(parse(merged, "json", executors=executors), merged, "json")


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
