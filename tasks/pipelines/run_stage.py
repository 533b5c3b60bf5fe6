"""A stage, from checkout to artifacts. The checkout lives only as long as the attempt."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from app.jobs import Run
from app.kernel.tracing import span
from app.pipelines import Briefing, ConditionInvalid, StageTimedOut, stage_failure, start_stage
from app.pipelines.definition import ConditionInvalid as ConditionFault
from tasks.patience import patiently
from tasks.pipelines.caching import StageCaches
from tasks.pipelines.gateways.base import CheckoutTimedOut
from tasks.pipelines.keep_artifacts import keep_artifacts
from tasks.pipelines.read_reports import read_reports
from tasks.pipelines.record_here import RecordHere
from tasks.pipelines.run_steps import StageClock, StepRunner
from tasks.pipelines.secrets import read_secrets
from tasks.pipelines.sites import find_site
from tasks.pipelines.stage_work import StageWork
from tasks.pipelines.workplace import Workplace, open_workplace
from tasks.tools import Tools

NOT_WANTED = "Its condition does not hold."


def run_stage(run: Run, stage_id: UUID, tools: Tools) -> dict[str, Any]:
    """Run one attempt of a stage here and return its result; raises StageFailed or StageTimedOut."""
    briefing = patiently(run, lambda: _start(run, stage_id))
    if (passed := pass_over(briefing)) is not None:
        return passed
    secrets = patiently(run, lambda: read_secrets(run, tools, briefing))
    find_place = partial(find_site, run, tools, briefing.workspace_id)
    return do_stage(StageWork(run, tools, RecordHere(run, tools, briefing), briefing, secrets, find_place))


def pass_over(briefing: Briefing) -> dict[str, Any] | None:
    """Return the result of a stage whose condition keeps it from running; raises StageTimedOut, ConditionInvalid."""
    if not _is_wanted(briefing):
        return {"status": "skipped", "reason": NOT_WANTED, "blocks": briefing.needs.failed}
    if briefing.seconds_left <= 0:
        raise StageTimedOut("The pipeline's time was up before the stage could start.")
    return None


def do_stage(work: StageWork) -> dict[str, Any]:
    """Do what is to be done, wherever this is, and return the stage's result; raises StageFailed or StageTimedOut."""
    briefing = work.briefing
    clock = StageClock.starting(min(briefing.planned.timeout, briefing.seconds_left))
    with work.secrets.hidden_in_errors(), open_workplace(work.bench.workspaces, briefing) as place:
        runner = StepRunner(work, place, clock)
        _checkout(runner, clock)
        caches = StageCaches(work, place)
        runner.note(caches.restore())
        failed = runner.run_all()
        _tell_keeping(work)
        tests = read_reports(work, place)
        kept = _keep_artifacts(work, place)
        if not failed and not runner.out_of_time:
            caches.save()
        work.recorder.replace_artifacts(kept)
    if failed or runner.out_of_time:
        raise stage_failure(briefing.planned, failed, out_of_time=runner.out_of_time)
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


def _tell_keeping(work: StageWork) -> None:
    planned = work.briefing.planned
    if planned.artifacts or planned.reports or planned.cache:
        work.recorder.progress(phase="keep", message="keeping reports, artifacts and caches")


def _keep_artifacts(work: StageWork, place: Workplace) -> list[Any]:
    if not work.briefing.planned.artifacts:
        return []
    with span("keep artifacts", stage=work.briefing.planned.name) as told:
        kept = keep_artifacts(work, place)
        told.note(artifacts=len(kept))
        return kept
