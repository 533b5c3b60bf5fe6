"""Environments in tests: pipelines that deploy, protection, and what was deployed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.jobs import QUEUED, Job
from app.kernel.principal import Principal
from app.pipelines import Execution, approvals
from app.pipelines.models import Deployment, Environment
from app.pipelines.service import Pipeline, Start, start_execution
from tests.support.pipelines import Engine, Seen, pipeline, stage
from tests.support.work import make_runtime


def release(script: str = "true", target: Any = "production", **fields: Any) -> dict[str, Any]:
    """Return a definition whose one stage deploys."""
    return pipeline(stage("deploy", script, deploys_to=target, **fields))


def environment_of(engine: Engine) -> Environment:
    """Return the one environment there is."""
    with engine.database.transaction() as session:
        return session.scalars(select(Environment)).one()


def protect(engine: Engine, **fields: Any) -> None:
    """Make the environment, protected so."""
    with engine.database.transaction() as session:
        places = {"organization_id": engine.workspace.organization_id, "workspace_id": engine.workspace.id}
        session.add(Environment(id=UUID(int=7), name="production", **places, **fields))


def history(engine: Engine) -> list[Deployment]:
    """Return what was deployed, in its order."""
    with engine.database.transaction() as session:
        return list(session.scalars(select(Deployment).order_by(Deployment.started_at, Deployment.id)))


def run_but_stages(engine: Engine) -> None:
    """Do all that is due but the stages themselves."""
    runtime = make_runtime(engine.database, engine.tools)
    due = (
        select(Job.id).where(Job.status == QUEUED, Job.kind != "pipelines.run_stage").order_by(Job.created_at).limit(1)
    )
    while True:
        with engine.database.transaction() as session:
            job_id = session.scalar(due)
        if job_id is None:
            return
        runtime.run_job(job_id)


def again(engine: Engine, execution_id: UUID, *, by_hand: bool = True, **start: Any) -> UUID:
    """Start another execution of the same pipeline: by Alice's hand or, as a delivery does, by nobody's."""
    with engine.database.transaction() as session:
        found = session.get_one(Pipeline, session.get_one(Execution, execution_id).pipeline_id)
        return start_execution(
            session, found, engine.workspace, Start(**start), engine.caller if by_hand else None
        ).execution.id


def decide(engine: Engine, seen: Seen, caller: Principal) -> Seen:
    """Let a stage that waits go on, and do what follows."""
    with engine.database.transaction() as session:
        approvals.decide(session, session.get_one(Execution, seen.execution.id), "deploy", caller, approve=True)
    engine.drain()
    return engine.look(seen.execution.id)
