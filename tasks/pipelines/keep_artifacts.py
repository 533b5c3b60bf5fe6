"""Keeping a stage's artifacts: found by globs in the workplace, stored, and described for the record."""

from __future__ import annotations

import mimetypes
from typing import Any

from app.kernel.ids import new_id
from app.pipelines import Briefing
from app.pipelines.definition import expand, stage_variables
from tasks.pipelines.artifacts import Found, collect
from tasks.pipelines.workplace import Workplace
from tasks.tools import Tools

UNKNOWN = "application/octet-stream"


def keep_artifacts(tools: Tools, briefing: Briefing, place: Workplace) -> list[dict[str, Any]]:
    """Store what the stage's globs match and return the rows to record; raises StoreAway or ArtifactsTooLarge."""
    if not briefing.planned.artifacts:
        return []
    variables = stage_variables(
        briefing.plan, briefing.planned, commit_sha=briefing.commit_sha, attempt=briefing.attempt
    )
    globs = [expand(artifact.path, variables) for artifact in briefing.planned.artifacts]
    found = collect(place.root, globs, max_bytes=tools.steps.artifact_bytes)
    return [_store(tools, briefing, one) for one in found]


def _store(tools: Tools, briefing: Briefing, found: Found) -> dict[str, Any]:
    key = f"{briefing.execution_id}/{new_id()}"
    stored = tools.artifact_store.put_file(key, found.path)
    content_type = mimetypes.guess_type(found.name)[0] or UNKNOWN
    return {
        "name": found.name,
        "size": stored.size,
        "sha256": stored.sha256,
        "content_type": content_type,
        "key": key,
    }
