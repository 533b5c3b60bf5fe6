"""How an attempt ends, as its runner tells it: the same fates that workers' failures have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.clock import database_now
from app.pipelines import Execution, StageTimedOut, stage_failure
from app.pipelines.definition import Plan
from app.runners.working import Held

NOT_WANTED: Final = "Its condition does not hold."
HANDED_BACK: Final = "Its runner was stopped; another takes over."
RETRY_SECONDS: Final = 2.0
CANCEL_SECONDS: Final = 60.0
LATE_SECONDS: Final = 600.0
"""Beyond its timeout, for what comes after the steps: files that are kept over a slow line."""

Said = Mapping[str, Any]


def finish(session: Session, held: Held, said: Said) -> None:
    """End the attempt, or queue its job again."""
    _FATES[said["outcome"]](session, held, said)


def end_overdue(session: Session, held: Held) -> bool:
    """End an attempt whose runner should have ended it and goes on beating: cancelled, or beyond its time. Tells
    whether it did."""
    moment = session.execute(select(database_now())).scalar_one()
    asked_at, began_at = held.job.cancel_requested_at, held.stage.started_at
    if asked_at is not None and (moment - asked_at).total_seconds() > CANCEL_SECONDS:
        jobs.end(session, held.job, jobs.CANCELLED)
        return True
    if began_at is not None and (moment - began_at).total_seconds() > _most_seconds(session, held):
        late = StageTimedOut("The stage's time was up, and its runner did not end it.")
        jobs.end(session, held.job, jobs.FAILED, error={"code": late.code, "message": late.message, "details": {}})
        return True
    return False


def _most_seconds(session: Session, held: Held) -> float:
    execution = session.get_one(Execution, held.stage.execution_id)
    return float(execution.plan["stages"][held.stage.position]["timeout"]) + LATE_SECONDS


def _succeed(session: Session, held: Held, said: Said) -> None:
    result = {"status": "succeeded", "artifacts": said["artifacts"]}
    if said["tests"] is not None:
        result["tests"] = said["tests"]
    jobs.end(session, held.job, jobs.SUCCEEDED, result=result)


def _skip(session: Session, held: Held, said: Said) -> None:
    result = {"status": "skipped", "reason": NOT_WANTED, "blocks": said["blocks"]}
    jobs.end(session, held.job, jobs.SUCCEEDED, result=result)


def _fail_by_steps(session: Session, held: Held, said: Said) -> None:
    execution = session.get_one(Execution, held.stage.execution_id)
    planned = Plan.from_json(execution.plan).stage(held.stage.name)
    known = {step.name for step in planned.steps}
    failed = {name: status for name, status in said["failed"].items() if name in known}
    error = stage_failure(planned, failed, out_of_time=said["out_of_time"] or not failed)
    told = {"code": error.code, "message": error.message, "details": dict(error.details)}
    jobs.end(session, held.job, jobs.FAILED, error=told)


def _fail(session: Session, held: Held, said: Said) -> None:
    jobs.end(session, held.job, jobs.FAILED, error=_error(said))


def _try_again(session: Session, held: Held, said: Said) -> None:
    jobs.fail_or_retry(session, held.job, _error(said), delay=max(said["retry_after"], RETRY_SECONDS))


def _cancel(session: Session, held: Held, said: Said) -> None:
    if held.job.cancel_requested:
        jobs.end(session, held.job, jobs.CANCELLED)
    else:
        _try_again(session, held, said)


def _hand_back(session: Session, held: Held, _: Said) -> None:
    if held.job.cancel_requested:
        jobs.end(session, held.job, jobs.CANCELLED)
    else:
        jobs.give_back(session, held.job, delay=RETRY_SECONDS, counted=False, reason=HANDED_BACK)


def _error(said: Said) -> dict[str, Any]:
    return {"code": said["code"], "message": said["message"], "details": {}}


_FATES: Final[Mapping[str, Callable[[Session, Held, Said], None]]] = {
    "succeeded": _succeed,
    "skipped": _skip,
    "steps_failed": _fail_by_steps,
    "failed": _fail,
    "again": _try_again,
    "cancelled": _cancel,
    "handed_back": _hand_back,
}
OUTCOMES: Final = tuple(_FATES)
