"""The schedules of a pipeline are those of its definition, and are written with it. Nothing here commits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.ids import new_id
from app.pipelines.definition import DEFAULT_TIMEZONE, Definition, next_tick
from app.pipelines.models import Pipeline, Schedule

Wanted = tuple[str, str]


def keep_schedules(session: Session, pipeline: Pipeline, definition: Definition) -> None:
    """Make a pipeline's schedules those of its definition; one that stays is due when it was to be due before."""
    wanted = _wanted(definition)
    mine = Schedule.pipeline_id == pipeline.id
    session.execute(delete(Schedule).where(mine, tuple_(Schedule.expression, Schedule.timezone).not_in(wanted)))
    if not wanted:
        return
    moment = session.execute(select(database_now())).scalar_one()
    rows = [_row(pipeline, expression, timezone, moment) for expression, timezone in wanted]
    session.execute(insert(Schedule).on_conflict_do_nothing(), rows)


def _wanted(definition: Definition) -> list[Wanted]:
    configs = [trigger.config for trigger in definition.triggers if trigger.trigger_type == "schedule"]
    found = [
        (" ".join(config.cron_expression.split()), config.timezone or DEFAULT_TIMEZONE)
        for config in configs
        if config.cron_expression
    ]
    return list(dict.fromkeys(found))


def _row(pipeline: Pipeline, expression: str, timezone: str, moment: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "organization_id": pipeline.organization_id,
        "workspace_id": pipeline.workspace_id,
        "pipeline_id": pipeline.id,
        "expression": expression,
        "timezone": timezone,
        "next_at": next_tick(expression, timezone, moment),
    }
