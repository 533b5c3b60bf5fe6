"""An execution, its stages and their steps: one run of a pipeline by its frozen plan.

execution   queued → running → succeeded | failed | cancelled | timed_out
stage, step          the same, and  queued → skipped
stage                queued → waiting (for approval) → queued (approved) | failed | timed_out | cancelled
(a stage or an execution that is tried again goes from its end back to queued)
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from app.kernel.clock import format_time
from app.kernel.db import Base
from app.pipelines.errors import IllegalMove

QUEUED: Final = "queued"
RUNNING: Final = "running"
WAITING: Final = "waiting"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
TIMED_OUT: Final = "timed_out"
SKIPPED: Final = "skipped"
FINAL: Final = (SUCCEEDED, FAILED, CANCELLED, TIMED_OUT, SKIPPED)
STATUSES: Final = (QUEUED, RUNNING, *FINAL)
STAGE_STATUSES: Final = (*STATUSES, WAITING)

_MOVES: Final = {
    QUEUED: {WAITING, RUNNING, FAILED, CANCELLED, TIMED_OUT, SKIPPED},
    RUNNING: {RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT, SKIPPED},
    WAITING: {QUEUED, FAILED, CANCELLED, TIMED_OUT},
    SUCCEEDED: {QUEUED},
    FAILED: {QUEUED},
    CANCELLED: {QUEUED},
    TIMED_OUT: {QUEUED},
    SKIPPED: {QUEUED},
}


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment else None


class Moving:
    """What the three levels share: a status with legal moves, and the times of its ends."""

    status: Mapped[str]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    def move(self, status: str, moment: datetime) -> None:
        """Go to `status`; raises IllegalMove where the table of moves does not allow it."""
        if status not in _MOVES[self.status]:
            raise IllegalMove(f"What is {self.status} cannot become {status}.", status=self.status)
        self.status = status
        if status == QUEUED:
            self.started_at = self.finished_at = None
        elif status == RUNNING:
            self.started_at = moment
        elif status != WAITING:
            self.finished_at = moment


class Execution(Moving, Base):
    """One run of a pipeline. `plan` never changes; `plan_digest` is its SHA-256.

    It is of a branch, of a tag, or of a pull request, whose `branch` is `pull/` and its number: strangers choose the
    names of their branches. One that is not `trusted` runs code of theirs and gets no secrets. `cause` names what asked
    for it where no person did, `depth` how many executions led to it. `begun_by` are the people who began it, also
    through executions that led to it, or ran it again; `commit_given` says that one of them chose the commit. Of a
    workspace's `concurrency_group` only so many go on at once as the plan says; the others wait in the order of
    `queued_at`.
    """

    __tablename__ = "executions"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        UniqueConstraint("pipeline_id", "number"),
        Index("ix_executions_pipeline_id_created_at", "pipeline_id", "created_at", "id"),
        Index("ix_executions_organization_id_created_at", "organization_id", "created_at", "id"),
        Index(
            "ix_executions_unfinished",
            "organization_id",
            postgresql_where=text(f"status IN ('{QUEUED}', '{RUNNING}')"),
        ),
        Index(
            "ix_executions_concurrency_group",
            *("workspace_id", "concurrency_group", "queued_at", "id"),
            postgresql_where=text(f"concurrency_group IS NOT NULL AND status IN ('{QUEUED}', '{RUNNING}')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    pipeline_id: Mapped[UUID] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"))
    job_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(server_default=QUEUED)
    trigger: Mapped[str]
    repository_url: Mapped[str]
    branch: Mapped[str | None]
    tag: Mapped[str | None]
    commit_sha: Mapped[str | None]
    pull_request: Mapped[dict[str, Any] | None]
    fetch_ref: Mapped[str | None]
    trusted: Mapped[bool] = mapped_column(server_default=true())
    cause: Mapped[str | None] = mapped_column(unique=True)
    depth: Mapped[int] = mapped_column(Integer, server_default="0")
    begun_by: Mapped[list[UUID]] = mapped_column(ARRAY(PG_UUID(as_uuid=True)), server_default="{}")
    commit_given: Mapped[bool] = mapped_column(server_default=false())
    variables: Mapped[dict[str, Any]]
    plan: Mapped[dict[str, Any]]
    plan_digest: Mapped[str]
    reason: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    concurrency_group: Mapped[str | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    queued_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]

    @property
    def topic(self) -> str:
        """The stream of this execution's events."""
        return f"execution:{self.id}"

    def as_event(self) -> dict[str, Any]:
        """Return what the stream tells of the execution."""
        return {
            "execution_id": str(self.id),
            "status": self.status,
            "reason": self.reason,
            "commit_sha": self.commit_sha,
            "started_at": _time(self.started_at),
            "finished_at": _time(self.finished_at),
            "error": self.error,
        }


class Stage(Moving, Base):
    """A stage of an execution: the unit of work, one job at a time. `attempt` counts the times it was started.

    `blocks` is set at an end after which the stages that need this one may not run as a matter of course: it failed,
    was cancelled, or was skipped because a stage it needs blocks it. A stage that `may_fail` blocks none by failing.
    One whose plan asks for approval waits until it is `approved`, which holds for its retries, not for a re-run. One
    that deploys to an environment waits for its turn there from `turn_asked_at` on.

    One that `runs_on` labels is done by a runner that has them all: it waits for one from `runner_asked_at` on. The one
    that took it last is `runner`, by its name, and has sent `received_bytes` of this attempt.
    """

    __tablename__ = "stages"
    __table_args__ = (
        CheckConstraint(f"status IN {STAGE_STATUSES}", name="status"),
        UniqueConstraint("execution_id", "name"),
        UniqueConstraint("execution_id", "position"),
        Index(
            "ix_stages_environment_id",
            "environment_id",
            postgresql_where=text(f"environment_id IS NOT NULL AND status IN ('{QUEUED}', '{RUNNING}')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    name: Mapped[str]
    position: Mapped[int] = mapped_column(Integer)
    depends_on: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[str] = mapped_column(server_default=QUEUED)
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    retries_left: Mapped[int] = mapped_column(Integer, server_default="0")
    may_fail: Mapped[bool] = mapped_column(server_default=false())
    blocks: Mapped[bool] = mapped_column(server_default=false())
    approved: Mapped[bool] = mapped_column(server_default=false())
    environment_id: Mapped[UUID | None] = mapped_column(ForeignKey("environments.id", ondelete="SET NULL"))
    turn_asked_at: Mapped[datetime | None]
    runs_on: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    runner_asked_at: Mapped[datetime | None]
    runner: Mapped[str | None]
    received_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    job_id: Mapped[UUID | None] = mapped_column(index=True)
    reason: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    def as_event(self) -> dict[str, Any]:
        """Return what the stream tells of the stage."""
        return {
            "execution_id": str(self.execution_id),
            "stage": self.name,
            "status": self.status,
            "attempt": self.attempt,
            "reason": self.reason,
            "started_at": _time(self.started_at),
            "finished_at": _time(self.finished_at),
        }


class Step(Moving, Base):
    """A step of a stage. `attempt` names the run its outcome and its newest log are of; earlier logs are kept."""

    __tablename__ = "steps"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        UniqueConstraint("stage_id", "name"),
        UniqueConstraint("stage_id", "position"),
        Index("ix_steps_execution_id", "execution_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    stage_id: Mapped[UUID] = mapped_column(ForeignKey("stages.id", ondelete="CASCADE"))
    name: Mapped[str]
    position: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(server_default=QUEUED)
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    reason: Mapped[str | None]
    exit_code: Mapped[int | None] = mapped_column(Integer)
    signal: Mapped[int | None] = mapped_column(Integer)
    duration_seconds: Mapped[float | None] = mapped_column(Float)
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sandbox: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    def reset(self) -> None:
        """Forget the outcome, so that the step can be started anew; its attempts go on counting."""
        self.status = QUEUED
        self.started_at = self.finished_at = self.duration_seconds = self.peak_memory_bytes = None
        self.exit_code = self.signal = self.reason = None

    def as_event(self, stage: Stage) -> dict[str, Any]:
        """Return what the stream tells of the step."""
        return {
            "execution_id": str(self.execution_id),
            "stage": stage.name,
            "step": self.name,
            "status": self.status,
            "attempt": self.attempt,
            "reason": self.reason,
            "exit_code": self.exit_code,
            "started_at": _time(self.started_at),
            "finished_at": _time(self.finished_at),
        }
