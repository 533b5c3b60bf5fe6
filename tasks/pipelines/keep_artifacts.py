"""Keeping a stage's artifacts: found by globs in the workplace, stored, and described for the record."""

from __future__ import annotations

import mimetypes
from contextlib import suppress
from typing import Any

from app.kernel.ids import new_id
from app.kernel.store import StoreAway
from app.pipelines import Briefing
from app.pipelines.definition import Artifact, expand, stage_variables
from tasks.pipelines.artifacts import Found, collect
from tasks.pipelines.workplace import Workplace
from tasks.tools import Tools

UNKNOWN = "application/octet-stream"


def keep_artifacts(tools: Tools, briefing: Briefing, place: Workplace) -> list[dict[str, Any]]:
    """Store what the stage's globs match and return the rows to record; raises StoreAway or ArtifactsTooLarge."""
    variables = stage_variables(
        briefing.plan, briefing.planned, commit_sha=briefing.commit_sha, attempt=briefing.attempt
    )
    left = tools.steps.artifact_bytes
    kept: dict[str, dict[str, Any]] = {}
    for artifact in briefing.planned.artifacts:
        found = collect(place.root, [expand(artifact.path, variables)], max_bytes=left)
        left -= sum(one.size for one in found)
        label = expand(artifact.name, variables) if artifact.name else None
        for one in found:
            name = _name(one, label, alone=len(found) == 1)
            kept[name] = _store(tools, briefing, one, name, artifact)
    return list(kept.values())


def forget_artifacts(tools: Tools, keys: list[str]) -> None:
    """Delete what nobody can reach any more; what a store that is away keeps is only room."""
    for key in keys:
        with suppress(StoreAway):
            tools.artifact_store.delete(key)


def _name(found: Found, label: str | None, *, alone: bool) -> str:
    """Return the artifact's name: its path; with a label the label, or the path below it when there are several."""
    if label is None:
        return found.name
    return label if alone else f"{label}/{found.name}"


def _store(tools: Tools, briefing: Briefing, found: Found, name: str, artifact: Artifact) -> dict[str, Any]:
    key = f"{briefing.execution_id}/{new_id()}"
    stored = tools.artifact_store.put_file(key, found.path)
    return {
        "name": name,
        "path": found.name,
        "size": stored.size,
        "sha256": stored.sha256,
        "content_type": mimetypes.guess_type(found.name)[0] or UNKNOWN,
        "key": key,
        "retention_seconds": artifact.retention,
    }
