"""The job: its table, its states and the legal moves between them.

    queued ──claim──▶ running ──▶ succeeded | failed | cancelled
      ▲                  │
      └──retry, release, lost worker

`attempt` is the fencing token: each claim raises it, and every later write of that worker names it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    false,
    func,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base

QUEUED: Final = "queued"
RUNNING: Final = "running"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
FINAL: Final = (SUCCEEDED, FAILED, CANCELLED)
STATUSES: Final = (QUEUED, RUNNING, *FINAL)

LINE: Final = ("queue", "priority", "scheduled_for", "id")
# Most jobs have succeeded; a list of the others must not search among them.
UNUSUAL: Final = text("status <> 'succeeded'")
FAILURES: Final = text("status = 'failed'")
ERROR_CODE: Final = text("(error ->> 'code')")
PLACED: Final = text("status = 'running' OR (status = 'queued' AND NOT held)")


class Job(Base):
    """One piece of long work, as the client sees it after 202; the row is also its own outbox.

    `lease_until` is set while a worker holds it. A running job without a lease is *parked*: it waits for its children,
    and ends in the transaction in which the last of them ends. A queued job that is `held` waits for a place of its
    organization (app/jobs/places.py) and is not sent. The database stamps `changed_at`, and writes the history.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
        Index("ix_jobs_due", "scheduled_for", postgresql_where=text("status = 'queued'")),
        Index("ix_jobs_leased", "lease_until", postgresql_where=text("status = 'running'")),
        Index("ix_jobs_organization_id_created_at", "organization_id", "created_at", "id"),
        Index(
            "ix_jobs_workspace_id_created_at",
            "workspace_id",
            "created_at",
            "id",
            postgresql_where=text("workspace_id IS NOT NULL"),
        ),
        Index(
            "ix_jobs_cluster_id_created_at",
            "cluster_id",
            "created_at",
            "id",
            postgresql_where=text("cluster_id IS NOT NULL"),
        ),
        Index("ix_jobs_created_at", "created_at", "id"),
        Index("ix_jobs_status_created_at", "status", "created_at", "id", postgresql_where=UNUSUAL),
        Index("ix_jobs_kind_created_at", "kind", "created_at", "id"),
        Index("ix_jobs_queue_created_at", "queue", "created_at", "id"),
        Index("ix_jobs_error_code_created_at", ERROR_CODE, "created_at", "id", postgresql_where=FAILURES),
        Index("ix_jobs_resource", "resource_type", "resource_id"),
        Index("ix_jobs_parent_id", "parent_id"),
        Index("ix_jobs_places", "organization_id", "queue", postgresql_where=PLACED),
        Index("ix_jobs_line", *LINE, postgresql_where=text("status = 'queued' AND NOT held")),
        Index("ix_jobs_held", "organization_id", *LINE, postgresql_where=text("status = 'queued' AND held")),
        Index("ix_jobs_fingerprint_created_at", "fingerprint", "created_at", "id", postgresql_where=FAILURES),
        Index(
            "ix_jobs_failures",
            "fingerprint",
            "finished_at",
            postgresql_where=FAILURES,
            postgresql_include=["organization_id", "workspace_id", "cluster_id", "created_by"],
        ),
    )
    # What an UPDATE computes, such as the time of an end, comes back with it.
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    queue: Mapped[str]
    priority: Mapped[int] = mapped_column(SmallInteger)
    payload: Mapped[dict[str, Any]]
    key: Mapped[str | None] = mapped_column(unique=True)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))

    status: Mapped[str] = mapped_column(server_default=QUEUED)
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    max_attempts: Mapped[int] = mapped_column(Integer)
    percent: Mapped[float] = mapped_column(Float, server_default="0")
    phase: Mapped[str | None]
    message: Mapped[str | None]
    current: Mapped[int | None] = mapped_column(BigInteger)
    total: Mapped[int | None] = mapped_column(BigInteger)
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    fingerprint: Mapped[str | None]

    resource_type: Mapped[str | None]
    resource_id: Mapped[UUID | None]
    organization_id: Mapped[UUID | None]
    workspace_id: Mapped[UUID | None]
    cluster_id: Mapped[UUID | None]
    created_by: Mapped[UUID | None]
    # The request and the trace that asked for it; see app/jobs/origin.py.
    origin: Mapped[dict[str, Any] | None]

    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    scheduled_for: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    sent_at: Mapped[datetime | None] = mapped_column(server_default=func.clock_timestamp())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    held: Mapped[bool] = mapped_column(server_default=false())
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]

    # Counted where one job is shown; see app/jobs/places.py.
    queue_position = cast("int | None", None)

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.status in FINAL

    @property
    def topic(self) -> str:
        """The stream of this job's events."""
        return topic_of(self.id)

    @property
    def progress(self) -> dict[str, Any]:
        """How far it is; `percent` never falls within an attempt."""
        return {
            "percent": round(self.percent, 1),
            "current": self.current,
            "total": self.total,
            "phase": self.phase,
            "message": self.message,
        }

    @property
    def resource(self) -> dict[str, Any] | None:
        """What the job concerns."""
        if self.resource_type is None:
            return None
        return {"type": self.resource_type, "id": str(self.resource_id)}

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked to cancel it."""
        return self.cancel_requested_at is not None

    def as_event(self) -> dict[str, Any]:
        """Return what the job's stream tells of it."""
        return {
            "id": str(self.id),
            "kind": self.kind,
            "status": self.status,
            "attempt": self.attempt,
            "progress": self.progress,
            "cancel_requested": self.cancel_requested,
            "result": self.result,
            "error": self.error,
        }


class JobChange(Base):
    """One change of a job's status, written by a trigger of the database, so that nothing can change without it.

    `seconds` is how long the job was in the status before; in `queued`, since it was due. `actor` is the user who
    asked for the change, where it was one. Weeks are partitions; see app/kernel/partitions.py.
    """

    __tablename__ = "job_changes"
    __table_args__ = (
        Index(
            "ix_job_changes_transaction_id",
            "transaction_id",
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on"},
        ),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    to_status: Mapped[str] = mapped_column(primary_key=True)
    from_status: Mapped[str | None]
    attempt: Mapped[int]
    seconds: Mapped[float | None]
    kind: Mapped[str]
    queue: Mapped[str]
    organization_id: Mapped[UUID | None]
    actor: Mapped[UUID | None]
    worker: Mapped[str | None]
    code: Mapped[str | None]
    reason: Mapped[str | None]
    # Counts transactions, so that a reader of all changes knows up to where none is still being written.
    transaction_id: Mapped[int] = mapped_column(BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint"))


class JobLimit(Base):
    """How many jobs of an organization may be with the workers of a queue at once; 0 sets no limit."""

    __tablename__ = "job_limits"
    __table_args__ = (CheckConstraint("places >= 0", name="places"),)

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    places: Mapped[int]


class JobBulk(Base):
    """What a job of kind `jobs.bulk` is asked to do, frozen at its acceptance, and how far it is.

    `everything`, `places` and `user_id` are the rights its asker had; `position` is the last id it has dealt
    with; `skipped` counts by reason.
    """

    __tablename__ = "job_bulks"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    action: Mapped[str]
    filter: Mapped[dict[str, Any]]
    everything: Mapped[bool]
    places: Mapped[list[Any]]
    user_id: Mapped[UUID]
    rate: Mapped[int] = mapped_column(Integer)
    accepted_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    matched: Mapped[int | None] = mapped_column(Integer)
    position: Mapped[UUID | None]
    done: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    skipped: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)

    @property
    def walked(self) -> int:
        """How many jobs it has dealt with."""
        return self.done + sum(self.skipped.values())


class JobTotal(Base):
    """How often something happened to jobs, or for how long, since this installation began: see app/jobs/totals.py.

    `label` is the status, the error's code or the upper bound of the bucket that is counted.
    """

    __tablename__ = "job_totals"

    name: Mapped[str] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[float]


class JobTotalsMark(Base):
    """Up to where the totals go, in one row: they hold the changes of all transactions before `transaction_id` that
    happened at `since` or later."""

    __tablename__ = "job_totals_mark"
    __table_args__ = (CheckConstraint("is_only", name="is_only"),)

    is_only: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    transaction_id: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[datetime]
    folded_at: Mapped[datetime]


def topic_of(job_id: UUID) -> str:
    """Return the stream topic of a job."""
    return f"job:{job_id}"


def fresh_event(job_id: UUID, kind: str, status: str, attempt: int) -> dict[str, Any]:
    """Return what the stream tells of a job that has not got anywhere yet."""
    return Job(id=job_id, kind=kind, status=status, attempt=attempt, percent=0.0).as_event()
