"""A stage, from checkout to artifacts. The checkout lives only as long as the attempt."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from app.jobs import Run
from app.kernel.tracing import span
from app.pipelines import Briefing, ConditionInvalid, StageFailed, StageTimedOut, replace_artifacts, start_stage
from app.pipelines.definition import ConditionInvalid as ConditionFault
from app.pipelines.definition import PlannedStage
from tasks.patience import patiently
from tasks.pipelines.caching import StageCaches
from tasks.pipelines.gateways.base import CheckoutTimedOut
from tasks.pipelines.keep_artifacts import forget_artifacts, keep_artifacts
from tasks.pipelines.read_reports import read_reports
from tasks.pipelines.run_steps import StageClock, StepRunner
from tasks.pipelines.secrets import read_secrets
from tasks.pipelines.workplace import Workplace, open_workplace
from tasks.tools import Tools

log = logging.getLogger(__name__)

NOT_WANTED = "Its condition does not hold."


def run_stage(run: Run, stage_id: UUID, tools: Tools) -> dict[str, Any]:
    """Run one attempt of a stage and return its result; raises StageFailed or StageTimedOut."""
    briefing = patiently(run, lambda: _start(run, stage_id))
    if not _is_wanted(briefing):
        return {"status": "skipped", "reason": NOT_WANTED, "blocks": briefing.needs.failed}
    if briefing.seconds_left <= 0:
        raise StageTimedOut("The pipeline's time was up before the stage could start.")
    clock = StageClock.starting(min(briefing.planned.timeout, briefing.seconds_left))
    secrets = patiently(
        run, lambda: read_secrets(run, tools, briefing.places, briefing.planned.steps, trusted=briefing.trusted)
    )
    with secrets.hidden_in_errors(), open_workplace(tools.workspaces, briefing) as place:
        runner = StepRunner(run, tools, briefing, secrets, place, clock)
        _checkout(runner, clock)
        caches = StageCaches(run, tools, briefing, place)
        runner.note(caches.restore())
        failed = runner.run_all()
        tests = read_reports(run, briefing, secrets, place)
        kept = _keep_artifacts(tools, briefing, place)
        if not failed and not runner.out_of_time:
            caches.save()
        forget_artifacts(tools, patiently(run, lambda: _record_artifacts(run, briefing, kept)))
    if failed or runner.out_of_time:
        raise _failure(briefing.planned, failed, out_of_time=runner.out_of_time)
    return {"status": "succeeded", "artifacts": len(kept), **tests}


def _start(run: Run, stage_id: UUID) -> Briefing:
    with run.recording() as (session, _):
        return start_stage(session, stage_id)


def _is_wanted(briefing: Briefing) -> bool:
    try:
        return briefing.wanted
    except ConditionFault as error:
        raise ConditionInvalid(str(error)) from error


def _checkout(runner: StepRunner, clock: StageClock) -> None:
    try:
        runner.checkout()
    except CheckoutTimedOut as error:
        if clock.is_up():
            raise StageTimedOut("The stage's time was up before its source had arrived.") from error
        raise


def _keep_artifacts(tools: Tools, briefing: Briefing, place: Workplace) -> list[dict[str, Any]]:
    if not briefing.planned.artifacts:
        return []
    with span("keep artifacts", stage=briefing.planned.name) as told:
        kept = keep_artifacts(tools, briefing, place)
        told.note(artifacts=len(kept))
        return kept


def _record_artifacts(run: Run, briefing: Briefing, kept: list[dict[str, Any]]) -> list[str]:
    with run.recording() as (session, _):
        return replace_artifacts(session, briefing, kept)


def _failure(planned: PlannedStage, failed: dict[str, str], *, out_of_time: bool) -> StageFailed | StageTimedOut:
    steps = ", ".join(f"{name} {status.replace('_', ' ')}" for name, status in failed.items())
    first = next((step.name for step in planned.steps if step.name in failed), None)
    details = {"steps": failed, "stage": planned.stage, "step": first}
    if out_of_time:
        return StageTimedOut(f"The stage's time was up.{f' Did not succeed: {steps}.' if steps else ''}", **details)
    kind = StageTimedOut if "timed_out" in failed.values() else StageFailed
    return kind(f"Did not succeed: {steps}.", **details)
