"""Pipelines run in this process: definitions in few words, the real service, the real worker's parts, and what came of
it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.principal import Principal
from app.kernel.stream import events_after
from app.pipelines import Execution, LogReader, Stage, Step, retrying, service
from app.pipelines.definition import parse
from app.pipelines.models import Artifact, StepAttempt
from app.pipelines.service import Source, Start, start_execution
from app.tenancy import Workspace
from config.settings import Settings
from tasks.tools import Tools
from tests.support.work import drain
from workers.composition import open_tools


def step(name: str, run: str = "true", **fields: Any) -> dict[str, Any]:
    """Return a step of a definition."""
    return {"name": name, "run": run, **fields}


def stage(name: str, *steps: dict[str, Any] | str, needs: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a stage of a definition; a text is the script of its one step, which is called `run`."""
    given = [step("run", one) if isinstance(one, str) else one for one in steps or ("true",)]
    return {"name": name, "depends_on": needs or [], "steps": given, **fields}


def pipeline(*stages: dict[str, Any], name: str = "shop", **fields: Any) -> dict[str, Any]:
    """Return a definition."""
    return {"name": name, "stages": list(stages), **fields}


def make_tools(settings: Settings, folder: Path, **changed: Any) -> Tools:
    """Return a worker's tools that keep all they write in `folder`."""
    return open_tools(replace(settings, data_dir=folder, allow_file_repositories=True, **changed))


@dataclass(frozen=True)
class Seen:
    """An execution as its rows have it."""

    execution: Execution
    job: Job
    stages: dict[str, Stage]
    steps: dict[str, Step]

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each stage."""
        return {name: stage.status for name, stage in self.stages.items()}

    @property
    def step_statuses(self) -> dict[str, str]:
        """The status of each step, by `stage/step`."""
        return {name: step.status for name, step in self.steps.items()}


class Engine:
    """Starts executions for one workspace and runs them."""

    def __init__(self, database: Database, tools: Tools, workspace: Workspace) -> None:
        self.database = database
        self.tools = tools
        self.workspace = workspace
        self.caller = Principal(workspace.owner_id, "alice")

    def start(self, definition: Mapping[str, Any], **start: Any) -> UUID:
        """Make a pipeline, start an execution of it and return the execution's id."""
        text = json.dumps(definition)
        with self.database.transaction() as session:
            source = Source(parse(text, "json"), text, "json")
            found = service.create_pipeline(session, self.workspace, source, self.caller)
            return start_execution(session, found, self.workspace, Start(**start), self.caller).execution.id

    def drain(self) -> int:
        """Do everything that is due."""
        return drain(self.database, self.tools)

    def run(self, definition: Mapping[str, Any], **started: Any) -> Seen:
        """Start an execution, do all that is due, and look at it."""
        execution_id = self.start(definition, **started)
        self.drain()
        return self.look(execution_id)

    def look(self, execution_id: UUID) -> Seen:
        """Read an execution's rows."""
        with self.database.transaction() as session:
            execution = session.get_one(Execution, execution_id)
            stages = session.scalars(select(Stage).where(Stage.execution_id == execution_id).order_by(Stage.position))
            by_id = {stage.id: stage for stage in stages}
            mine = select(Step).join(Stage, Stage.id == Step.stage_id).where(Step.execution_id == execution_id)
            steps = session.scalars(mine.order_by(Stage.position, Step.position))
            return Seen(
                execution,
                session.get_one(Job, execution.job_id),
                {stage.name: stage for stage in by_id.values()},
                {f"{by_id[step.stage_id].name}/{step.name}": step for step in steps},
            )

    def cancel(self, execution_id: UUID) -> None:
        """Cancel an execution."""
        with self.database.transaction() as session:
            service.cancel_execution(session, session.get_one(Execution, execution_id))

    def retry(self, execution_id: UUID, *, whole: bool = False) -> None:
        """Retry an execution."""
        with self.database.transaction() as session:
            retrying.retry_execution(session, session.get_one(Execution, execution_id), whole=whole)

    def retry_stage(self, execution_id: UUID, name: str) -> None:
        """Run one stage of an execution again."""
        with self.database.transaction() as session:
            retrying.retry_stage(session, session.get_one(Execution, execution_id), name)

    def attempts(self, execution_id: UUID) -> list[StepAttempt]:
        """Read how earlier attempts ended, in the order in which they began."""
        with self.database.transaction() as session:
            kept = select(StepAttempt).where(StepAttempt.execution_id == execution_id)
            return list(session.scalars(kept.order_by(StepAttempt.started_at)))

    def job_of(self, execution_id: UUID, stage_name: str) -> UUID:
        """Return the id of the job that runs a stage."""
        job_id = self.look(execution_id).stages[stage_name].job_id
        assert job_id is not None
        return job_id

    def make_due(self) -> None:
        """Let what waits for its time be due."""
        with self.database.transaction() as session:
            session.execute(update(Job).where(Job.status == jobs.QUEUED).values(scheduled_for=database_now()))

    def text_of(self, found: Step, attempt: int | None = None) -> list[str]:
        """Return what a step wrote, without the platform's own lines."""
        page = LogReader(self.database, self.tools.log_store).read(found.id, attempt, 0, 10_000)
        return [line.message for line in page.lines if line.stream != "system"]

    def events(self, topic: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the events of a topic, type and data."""
        with self.database.transaction() as session:
            return [(event.type, event.data) for event in session.scalars(events_after(topic, 0, 10_000))]

    def artifacts(self, execution_id: UUID) -> dict[str, bytes]:
        """Return what an execution kept, by stage and name."""
        with self.database.transaction() as session:
            kept = session.scalars(select(Artifact).where(Artifact.execution_id == execution_id)).all()
        return {f"{one.stage_name}/{one.name}": self.tools.artifact_store.read(one.key) for one in kept}
