"""Environments that stages deploy to, who may deploy to them, and what was deployed."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, false, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import Text

from app.kernel.audit import audited
from app.kernel.db import Base
from app.pipelines.models.execution import CANCELLED, FAILED, RUNNING, SUCCEEDED, TIMED_OUT

DEPLOYMENT_STATUSES: Final = (RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT)


class Deployment(Base):
    """One attempt of a stage that deploys. `url` is where what it deployed can be seen, `created_by` who began the run,
    or ran the stage again."""

    __tablename__ = "deployments"
    __table_args__ = (
        CheckConstraint(f"status IN {DEPLOYMENT_STATUSES}", name="status"),
        Index("ix_deployments_environment_id_started_at", "environment_id", "started_at", "id"),
        Index("ix_deployments_stage_id", "stage_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    environment_id: Mapped[UUID] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    stage_id: Mapped[UUID] = mapped_column(ForeignKey("stages.id", ondelete="CASCADE"))
    stage_name: Mapped[str]
    attempt: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(server_default=RUNNING)
    branch: Mapped[str | None]
    tag: Mapped[str | None]
    commit_sha: Mapped[str]
    url: Mapped[str | None]
    created_by: Mapped[UUID | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Environment(Base):
    """A place that stages deploy to, one after the other. `live_id` is the deployment that succeeded last.

    Where there are patterns, runs of a branch or a tag that matches one may deploy, and no others; where there are
    `approvers`, one of them has to let each deployment go on.
    """

    __tablename__ = "environments"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str | None]
    branch_patterns: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    tag_patterns: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    approvers: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    not_by_starter: Mapped[bool] = mapped_column(server_default=false())
    live_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    live: Mapped[Deployment | None] = relationship(
        lazy="selectin",
        viewonly=True,
        primaryjoin=lambda: Deployment.id == Environment.live_id,
        foreign_keys=lambda: Environment.live_id,
    )


audited(
    Environment,
    "environment",
    ("name", "description", "branch_patterns", "tag_patterns", "approvers", "not_by_starter"),
)
