"""Starting what is due by the clock. The session comes first; nothing here commits."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now, format_time
from app.kernel.errors import HeadraceError
from app.kernel.outages import outage_of
from app.pipelines.definition import next_tick
from app.pipelines.models import Pipeline, Schedule
from app.pipelines.service import Start, start_execution
from app.tenancy import Workspace

log = logging.getLogger(__name__)

INACTIVE = "The workspace is not active."
BROKEN = "Something went wrong inside; the platform's log tells what."


def run_next_due(session: Session) -> Schedule | None:
    """Start what one due schedule asks for and work out when it is due again; None when nothing is due.

    The row is locked, and passed over by whoever looks for due schedules meanwhile. Of the times that were missed while
    nobody looked only the last is made up for: a nightly run need not run seven times after a week.
    """
    moment: datetime = session.execute(select(database_now())).scalar_one()
    schedule = session.execute(
        select(Schedule)
        .where(or_(Schedule.next_at.is_(None), Schedule.next_at <= moment))
        .order_by(Schedule.next_at.asc().nulls_first())
        .limit(1)
        .with_for_update(skip_locked=True)
    ).scalar_one_or_none()
    if schedule is None:
        return None
    if schedule.next_at is not None:
        schedule.last_execution_id, schedule.reason = _start(session, schedule, schedule.next_at)
        schedule.last_at = schedule.next_at
    _advance(session, schedule, moment)
    session.flush()
    return schedule


def _advance(session: Session, schedule: Schedule, moment: datetime) -> None:
    try:
        schedule.next_at = next_tick(schedule.expression, schedule.timezone, moment)
    except ValueError as error:
        log.warning("a schedule that is never due was dropped", extra={"schedule": str(schedule.id), "why": str(error)})
        session.delete(schedule)


def _start(session: Session, schedule: Schedule, tick: datetime) -> tuple[UUID | None, str | None]:
    """Return the execution, or the reason there is none; what one schedule fails with keeps no other back."""
    workspace = session.get_one(Workspace, schedule.workspace_id)
    if workspace.status != "active":
        return None, INACTIVE
    pipeline = session.get_one(Pipeline, schedule.pipeline_id)
    cause = f"schedule:{pipeline.id}:{schedule.expression}:{schedule.timezone}:{format_time(tick)}"
    try:
        with session.begin_nested():
            # Whoever wrote the definition made it start by itself.
            author = pipeline.updated_by or pipeline.created_by
            start = Start(trigger="schedule", cause=cause, begun_by=[author] if author else ())
            return start_execution(session, pipeline, workspace, start, None).execution.id, None
    except HeadraceError as error:
        return None, error.message
    except Exception as error:
        if outage_of(error) is not None:
            raise
        log.exception("a schedule could not start its pipeline", extra={"schedule": str(schedule.id)})
        return None, BROKEN
