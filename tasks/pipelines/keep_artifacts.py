"""Keeping a stage's artifacts: found by globs in the workplace, stored, and described for the record."""

from __future__ import annotations

from typing import Any

from app.pipelines.definition import expand
from tasks.pipelines.artifacts import Found, collect
from tasks.pipelines.recorder import KeptFile
from tasks.pipelines.stage_work import StageWork
from tasks.pipelines.workplace import Workplace


def keep_artifacts(work: StageWork, place: Workplace) -> list[Any]:
    """Store what the stage's globs match and return what is to be recorded; raises StoreAway or ArtifactsTooLarge."""
    left = work.bench.steps.artifact_bytes
    kept: dict[str, Any] = {}
    for number, artifact in enumerate(work.briefing.planned.artifacts):
        found = collect(place.root, [expand(artifact.path, work.variables)], max_bytes=left)
        left -= sum(one.size for one in found)
        label = expand(artifact.name, work.variables) if artifact.name else None
        for one in found:
            name = _name(one, label, alone=len(found) == 1)
            kept[name] = work.recorder.keep_file(KeptFile(one.path, one.size, name, one.name, number))
    return list(kept.values())


def _name(found: Found, label: str | None, *, alone: bool) -> str:
    """Return the artifact's name: its path; with a label the label, or the path below it when there are several."""
    if label is None:
        return found.name
    return label if alone else f"{label}/{found.name}"
