"""Projects: parts of a workspace, each with a share of what it may use; on a cluster, each with its namespace."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship, synonym

from app.identity import User
from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.tenancy.models.workspaces import ACTIVE, DELETING, FAILED, PROVISIONING

if TYPE_CHECKING:
    from app.tenancy.models.provisioning import Provisioning

DEPTH_LIMIT: Final = 5
PROJECT_STATUSES: Final = (ACTIVE, PROVISIONING, FAILED, DELETING)
PROJECT_ROLES: Final = ("admin", "developer", "viewer")


class Project(Base):
    """A project; `depth` counts from 1. `quota` is what it and all below it may use together, by resource; a resource
    that is not named is bounded by what the parent has left."""

    __tablename__ = "projects"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        CheckConstraint(f"status IN {PROJECT_STATUSES}", name="status"),
        CheckConstraint(f"depth BETWEEN 1 AND {DEPTH_LIMIT}", name="depth"),
        Index("ix_projects_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index("ix_projects_parent_id", "parent_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="RESTRICT"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id", ondelete="RESTRICT"))
    depth: Mapped[int] = mapped_column(Integer, server_default="1", default=1)
    name: Mapped[str]
    display_name: Mapped[str | None]
    description: Mapped[str | None]
    labels: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    quota: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    status: Mapped[str] = mapped_column(server_default=ACTIVE, default=ACTIVE)
    status_reason: Mapped[str | None]
    namespace: Mapped[str | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    # Read where one project is shown.
    provisioning = cast("Provisioning | None", None)


class ProjectMember(Base):
    """What a member of the workspace is in one of its projects."""

    __tablename__ = "project_members"
    __table_args__ = (
        UniqueConstraint("project_id", "user_id"),
        CheckConstraint(f"role IN {PROJECT_ROLES}", name="role"),
        Index("ix_project_members_user_id", "user_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    short_role: Mapped[str] = synonym("role")


audited(Project, "project", ("name", "display_name", "description", "labels", "quota", "status", "parent_id"))
audited(ProjectMember, "project_member", ("project_id", "user_id", "role"))
