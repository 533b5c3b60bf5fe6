"""Workspaces, on a cluster or on none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, synonym, validates

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.tenancy.models.organizations import Organization
from app.tenancy.repository import find_repository_key

if TYPE_CHECKING:
    from app.tenancy.models.access import VirtualCluster
    from app.tenancy.models.provisioning import Provisioning

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
PROVISIONING: Final = "provisioning"
FAILED: Final = "failed"
SUSPENDED: Final = "suspended"
DELETING: Final = "deleting"
SETTABLE: Final = (ACTIVE, INACTIVE)
WORKSPACE_STATUSES: Final = (*SETTABLE, PROVISIONING, FAILED, SUSPENDED, DELETING)

NAMESPACE: Final = "namespace"
VCLUSTER: Final = "vcluster"
ISOLATIONS: Final = (NAMESPACE, VCLUSTER)


@dataclass(frozen=True, slots=True)
class Activity:
    """What happens in a workspace, as higher rooms tell it."""

    pipelines_count: int = 0
    last_execution: datetime | None = None


class Workspace(Base):
    """A team's place inside an organization; it may have a repository, whose pipelines then live in it.

    `repository_key` is the repository's name whichever of its addresses is given (see `find_repository_key`). One with
    a `host_id` has a place on that cluster: its namespace, or a virtual cluster in it, and what its jobs do to that
    decides its status. `status_reason` says why it has failed.
    """

    __tablename__ = "workspaces"
    __table_args__ = (
        UniqueConstraint("organization_id", "slug"),
        CheckConstraint(f"status IN {WORKSPACE_STATUSES}", name="status"),
        CheckConstraint(f"isolation IN {ISOLATIONS}", name="isolation"),
        CheckConstraint("(host_id IS NULL) = (isolation IS NULL)", name="host"),
        Index("ix_workspaces_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_workspaces_owner_id", "owner_id"),
        Index("ix_workspaces_repository_key", "repository_key"),
        Index("ix_workspaces_host_id", "host_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="RESTRICT"))
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    name: Mapped[str]
    slug: Mapped[str]
    description: Mapped[str | None]
    plan: Mapped[str] = mapped_column(server_default="standard")
    status: Mapped[str] = mapped_column(server_default=ACTIVE)
    status_reason: Mapped[str | None]
    # Not `cluster_id`: by that name whoever holds a role in the cluster would hold it in the workspace.
    host_id: Mapped[UUID | None]
    isolation: Mapped[str | None]
    namespace: Mapped[str | None]
    repository_url: Mapped[str | None]
    repository_key: Mapped[str | None]
    branch: Mapped[str] = mapped_column(server_default="main")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    # A workspace is inside itself, as an organization is: what guards things by their place guards it too.
    workspace_id: Mapped[UUID] = synonym("id")

    activity = Activity()
    # Read where one workspace is shown.
    provisioning = cast("Provisioning | None", None)
    virtual = cast("VirtualCluster | None", None)

    @property
    def is_provisioned(self) -> bool:
        """Whether it has a place on a cluster, or is to have one."""
        return self.host_id is not None

    @validates("repository_url")
    def _keep_key(self, _: str, url: str | None) -> str | None:
        self.repository_key = None if url is None else find_repository_key(url)
        return url


Organization.workspace_count = column_property(
    select(func.count(Workspace.id)).where(Workspace.organization_id == Organization.id).scalar_subquery()
)

audited(
    Workspace,
    "workspace",
    ("name", "slug", "description", "plan", "status", "repository_url", "branch", "owner_id", "host_id", "isolation"),
)
