"""Executions as clients read them: with their stages, steps and the addresses of the logs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from app.kernel.db import Base
from app.pipelines.models import Artifact, Execution, Stage, Step


def execution_view(session: Session, execution: Execution) -> dict[str, Any]:
    """Return an execution with its stages and steps, in the plan's order."""
    stages = session.scalars(select(Stage).where(Stage.execution_id == execution.id).order_by(Stage.position))
    steps = session.scalars(select(Step).where(Step.execution_id == execution.id).order_by(Step.position))
    return show_execution(execution, stages, steps)


def show_execution(execution: Execution, stages: Iterable[Stage], steps: Iterable[Step]) -> dict[str, Any]:
    """Return an execution with these stages and steps, which are in the plan's order."""
    steps_of: dict[UUID, list[Step]] = {}
    for step in steps:
        steps_of.setdefault(step.stage_id, []).append(step)
    return {**_columns(execution), "stages": [_stage_view(stage, steps_of.get(stage.id, [])) for stage in stages]}


def _stage_view(stage: Stage, steps: list[Step]) -> dict[str, Any]:
    return {**_columns(stage), "steps": [_step_view(stage, step) for step in steps]}


def _step_view(stage: Stage, step: Step) -> dict[str, Any]:
    place = f"{quote(stage.name, safe='')}/{quote(step.name, safe='')}"
    return {**_columns(step), "logs_url": f"/api/v1/executions/{stage.execution_id}/logs/{place}"}


def artifact_view(artifact: Artifact) -> dict[str, Any]:
    """Return an artifact with the address of its bytes."""
    address = f"/api/v1/executions/{artifact.execution_id}/artifacts/{quote(artifact.name)}"
    return {**_columns(artifact), "url": f"{address}?stage={quote(artifact.stage_name, safe='')}"}


def _columns(row: Base) -> dict[str, Any]:
    return {name: getattr(row, name) for name in inspect(type(row)).column_attrs.keys()}  # noqa: SIM118 - not a dict
