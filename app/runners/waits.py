"""Looking after a stage that waits for a runner: what it waits for, and for how long it has."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.orm import Session

from app.kernel.clock import database_now, sql_seconds
from app.pipelines import Execution, Stage, describe_wait, say_wait
from app.runners.models import LIVE_SECONDS, Runner


@dataclass(frozen=True, slots=True)
class Wait:
    """For how many seconds a stage has waited, and what for, in words."""

    seconds: float
    reason: str


def look_after(session: Session, stage_id: UUID) -> Wait:
    """Say of a stage, and of its execution, what it waits for; the caller holds the stage's job."""
    stage = session.get_one(Stage, stage_id, populate_existing=True)
    execution = session.get_one(Execution, stage.execution_id, populate_existing=True)
    moment = session.execute(select(database_now())).scalar_one()
    if stage.runner_asked_at is None:
        # Its runner was lost, or has handed it back: it waits for another from now on.
        stage.runner_asked_at = moment
    reason = describe_wait(stage, _who_there_is(session, execution, stage))
    say_wait(session, execution, stage, reason)
    return Wait((moment - stage.runner_asked_at).total_seconds(), reason)


def _who_there_is(session: Session, execution: Execution, stage: Stage) -> str:
    is_there = Runner.last_seen_at > database_now() - sql_seconds(LIVE_SECONDS)
    is_open = ~Runner.draining & ~Runner.disabled
    counted = _fitting(execution, stage).with_only_columns(
        func.count(), func.count().filter(is_there), func.count().filter(is_there, is_open)
    )
    known, there, ready = session.execute(counted).one()
    kind = "" if execution.trusted else " that takes code of forks"
    if not known:
        return f"{kind}; there is none"
    if not there:
        return f"{kind}; none of the {known} there are is online"
    if not ready:
        return f"{kind}; those that are online take no more work"
    return f"{kind}; {ready} {'is' if ready == 1 else 'are'} online, with other work"


def _fitting(execution: Execution, stage: Stage) -> Select[Runner]:
    in_reach: ColumnElement[bool] = or_(Runner.workspace_id.is_(None), Runner.workspace_id == execution.workspace_id)
    takes_it = true() if execution.trusted else Runner.takes_untrusted
    return select(Runner).where(
        Runner.organization_id == execution.organization_id, in_reach, takes_it, Runner.labels.contains(stage.runs_on)
    )
