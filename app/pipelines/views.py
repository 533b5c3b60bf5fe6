"""Executions as clients read them: with their stages, steps and the addresses of the logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from app.kernel.db import Base
from app.pipelines.environments import gate_of
from app.pipelines.models import Artifact, Execution, Stage, StageApproval, Step
from app.pipelines.runner_waits import wait_position
from app.pipelines.service import Started
from app.pipelines.turns import position_of

Values = dict[str, Any]


def execution_view(session: Session, execution: Execution) -> dict[str, Any]:
    """Return an execution with its stages and steps, in the plan's order."""
    stages = session.scalars(select(Stage).where(Stage.execution_id == execution.id).order_by(Stage.position)).all()
    steps = session.scalars(select(Step).where(Step.execution_id == execution.id).order_by(Step.position))
    waits = {stage.id: wait_position(session, stage) for stage in stages if stage.runs_on}
    rows = (_columns(stage) | {"queue_position": waits.get(stage.id)} for stage in stages)
    shown = _show(execution, rows, map(_columns, steps), _approvals_of(session, execution, stages))
    return shown | {"queue_position": position_of(session, execution)}


def _approvals_of(session: Session, execution: Execution, stages: Iterable[Stage]) -> dict[UUID, Values]:
    """Return the newest approval of each stage that has waited for one."""
    if not any({"approval", "deploys_to"} & planned.keys() for planned in execution.plan["stages"]):
        return {}
    asked = select(StageApproval).where(StageApproval.execution_id == execution.id)
    newest = {one.stage_id: one for one in session.scalars(asked.order_by(StageApproval.requested_at))}
    return {
        stage.id: (gate_of(session, execution, stage) or {}) | _columns(newest[stage.id])
        for stage in stages
        if stage.id in newest
    }


def started_view(started: Started) -> dict[str, Any]:
    """Return an execution that has just been started, without reading it."""
    stage, step = dict.fromkeys(_names(Stage)), dict.fromkeys(_names(Step))
    return _show(
        started.execution, (stage | given for given in started.stages), (step | given for given in started.steps)
    )


def _show(
    execution: Execution,
    stages: Iterable[Values],
    steps: Iterable[Values],
    approvals: Mapping[UUID, Values] = MappingProxyType({}),
) -> Values:
    steps_of: dict[UUID, list[Values]] = {}
    for step in steps:
        steps_of.setdefault(step["stage_id"], []).append(step)
    shown = [
        _stage_view(stage, steps_of.get(stage["id"], [])) | {"approval": approvals.get(stage["id"])} for stage in stages
    ]
    return _columns(execution) | {"stages": shown, "queue_position": None}


def _stage_view(stage: Values, steps: list[Values]) -> Values:
    place = f"/api/v1/executions/{stage['execution_id']}/logs/{quote(stage['name'], safe='')}"
    shown = [step | {"logs_url": f"{place}/{quote(step['name'], safe='')}"} for step in steps]
    return {"queue_position": None} | stage | {"steps": shown}


def artifact_view(artifact: Artifact) -> dict[str, Any]:
    """Return an artifact with the address of its bytes."""
    address = f"/api/v1/executions/{artifact.execution_id}/artifacts/{quote(artifact.name)}"
    return {**_columns(artifact), "url": f"{address}?stage={quote(artifact.stage_name, safe='')}"}


def _columns(row: Base) -> Values:
    return {name: getattr(row, name) for name in _names(type(row))}


@cache
def _names(model: type[Base]) -> tuple[str, ...]:
    return tuple(inspect(model).column_attrs.keys())
