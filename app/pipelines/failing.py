"""How a stage's failure is told, wherever its steps were run."""

from __future__ import annotations

from collections.abc import Mapping

from app.pipelines.definition import PlannedStage
from app.pipelines.errors import StageFailed, StageTimedOut


def stage_failure(
    planned: PlannedStage, failed: Mapping[str, str], *, out_of_time: bool
) -> StageFailed | StageTimedOut:
    """Return the error of a stage some of whose steps did not succeed, or whose time was up; `failed` are those steps'
    statuses by name."""
    steps = ", ".join(f"{name} {status.replace('_', ' ')}" for name, status in failed.items())
    first = next((step.name for step in planned.steps if step.name in failed), None)
    details = {"steps": dict(failed), "stage": planned.stage, "step": first}
    if out_of_time:
        return StageTimedOut(f"The stage's time was up.{f' Did not succeed: {steps}.' if steps else ''}", **details)
    kind = StageTimedOut if "timed_out" in failed.values() else StageFailed
    return kind(f"Did not succeed: {steps}.", **details)
