"""Spaces: the namespaces that workspaces and projects have on clusters, what was seen of their use, and what was
repaired in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base
from app.kernel.ids import new_id


class Space(Base):
    """A namespace that is ours, or about to be; its name is one workspace's on that cluster.

    `purpose` is `workspace`, `access` (the accounts of its members) or `project`. `used` and `hard` are what its quota
    said at `observed_at`.
    """

    __tablename__ = "spaces"
    __table_args__ = (
        UniqueConstraint("host_id", "name"),
        Index("ix_spaces_workspace_id", "workspace_id"),
        Index("ix_spaces_project_id", "project_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    host_id: Mapped[UUID]
    name: Mapped[str]
    purpose: Mapped[str]
    phase: Mapped[str | None]
    used: Mapped[dict[str, Any] | None]
    hard: Mapped[dict[str, Any] | None]
    observed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SpaceRepair(Base):
    """Something on a cluster that was not as it had to be, and was set right.

    `what` is `missing`, `changed` or `unwanted`; `fields` are the paths that differed, `managers` who had written them.
    """

    __tablename__ = "space_repairs"
    __table_args__ = (Index("ix_space_repairs_workspace_id_created_at", "workspace_id", "created_at", "id"),)
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    namespace: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    what: Mapped[str]
    fields: Mapped[list[Any]]
    managers: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
