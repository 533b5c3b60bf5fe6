"""Environments: made when a run first names one, protected by those who may. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.kernel.errors import AlreadyExists
from app.kernel.ids import new_id
from app.pipelines.definition import Plan, matches_glob
from app.pipelines.definition.language import DEFAULT_APPROVAL
from app.pipelines.errors import IllegalMove
from app.pipelines.models import FINAL, Environment, Execution, Stage
from app.tenancy import Workspace

UNTRUSTED: Final = "This run is of a pull request from a fork that nobody has approved: it deploys nowhere."
COMMIT_GIVEN: Final = "somebody chose the run's commit, so it shows nothing of the branch or tag"


@dataclass(frozen=True, slots=True)
class Door:
    """What stands before a stage: who must let it run, the environment it must wait its turn for, or why it may not."""

    gate: dict[str, Any] | None
    environment: Environment | None = None
    refusal: str | None = None


def keep_environments(session: Session, workspace: Mapping[str, Any], names: Collection[str]) -> dict[str, UUID]:
    """Return the ids of a workspace's environments by name; those that are new are made."""
    if not names:
        return {}
    places = {name: workspace[name] for name in ("organization_id", "workspace_id")}
    fresh = [places | {"id": new_id(), "name": name} for name in sorted(names)]
    session.execute(insert(Environment).on_conflict_do_nothing(), fresh)
    mine = select(Environment.name, Environment.id).where(
        Environment.workspace_id == places["workspace_id"], Environment.name.in_(names)
    )
    return {row.name: row.id for row in session.execute(mine)}


def names_of(plan: Plan) -> set[str]:
    """Return the names of the environments that a plan's stages deploy to."""
    return {stage.deploys_to.name for stage in plan.stages if stage.deploys_to is not None}


def door_of(session: Session, execution: Execution, stage: Stage) -> Door | None:
    """Return what stands before a stage as the plan and its environment have it now; None for a stage that may run."""
    planned = execution.plan["stages"][stage.position]
    gate, wanted = planned.get("approval"), planned.get("deploys_to")
    if wanted is None:
        return Door(gate) if gate else None
    if not execution.trusted:
        return Door(gate, None, UNTRUSTED)
    environment = _environment_of(session, execution, stage, wanted["name"])
    return Door(_combine(environment, gate), environment, _refusal_of(environment, execution))


def gate_of(session: Session, execution: Execution, stage: Stage) -> dict[str, Any] | None:
    """Return who is to approve a stage, as its plan and its environment say now; None for one that needs nobody."""
    own = execution.plan["stages"][stage.position].get("approval")
    environment = session.get(Environment, stage.environment_id) if stage.environment_id else None
    return _combine(environment, own) if environment else own


def _environment_of(session: Session, execution: Execution, stage: Stage, name: str) -> Environment:
    """Return the stage's environment; one that was deleted is made again."""
    if stage.environment_id is None:
        places = {"organization_id": execution.organization_id, "workspace_id": execution.workspace_id}
        stage.environment_id = keep_environments(session, places, [name])[name]
        session.flush()
    return session.get_one(Environment, stage.environment_id, populate_existing=True)


def _combine(environment: Environment, own: dict[str, Any] | None) -> dict[str, Any] | None:
    """The environment's approvers take the place of those the stage names: who writes a definition does not choose."""
    if not (environment.approvers or environment.not_by_starter):
        return own
    gate: dict[str, Any] = {"expires_in": DEFAULT_APPROVAL, "approvers": [], "not_by_starter": False} | (own or {})
    stricter = environment.not_by_starter or gate["not_by_starter"]
    return gate | {"approvers": environment.approvers or gate["approvers"], "not_by_starter": stricter}


def _refusal_of(environment: Environment, execution: Execution) -> str | None:
    branches, tags = environment.branch_patterns, environment.tag_patterns
    if not branches and not tags:
        return None
    name, patterns, kind = (
        (execution.branch, branches, "branch") if execution.tag is None else (execution.tag, tags, "tag")
    )
    may = f"{environment.name} takes {_describe(branches, tags)}"
    if not any(matches_glob(pattern, name or "") for pattern in patterns):
        return f"{may}; this run is of the {kind} {name}."
    return f"{may}; {COMMIT_GIVEN}." if execution.commit_given else None


def _describe(branches: list[str], tags: list[str]) -> str:
    kinds = (("branches", branches), ("tags", tags))
    return " and ".join(f"{kind} {', '.join(patterns)}" for kind, patterns in kinds if patterns) + " only"


def create_environment(session: Session, workspace: Workspace, fields: Mapping[str, Any]) -> Environment:
    """Write an environment before any run names it; raises AlreadyExists."""
    environment = Environment(
        id=new_id(), organization_id=workspace.organization_id, workspace_id=workspace.id, **fields
    )
    session.add(environment)
    try:
        session.flush()
    except IntegrityError:
        raise AlreadyExists(f"This workspace has an environment named {fields['name']!r} already.") from None
    session.refresh(environment)
    return environment


def change_environment(session: Session, environment: Environment, fields: Mapping[str, Any]) -> Environment:
    """Change what is given; what has begun to deploy goes on."""
    for name, value in fields.items():
        setattr(environment, name, value)
    session.flush()
    session.refresh(environment)
    return environment


def delete_environment(session: Session, environment: Environment) -> None:
    """Delete an environment with its history; raises IllegalMove while an execution that names it has not ended."""
    waiting = select(Stage.id).where(Stage.environment_id == environment.id, Stage.status.not_in(FINAL))
    if session.execute(waiting.limit(1)).scalar() is not None:
        raise IllegalMove("An execution that deploys to this environment has not ended.")
    session.delete(environment)
    session.flush()
