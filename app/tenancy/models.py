"""Organizations, and the workspaces in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column, synonym, validates

from app.identity import Membership
from app.kernel.audit import audited
from app.kernel.clock import database_now
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.tenancy.repository import find_repository_key

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
WORKSPACE_STATUSES: Final = (ACTIVE, INACTIVE)
STANDARD: Final = "standard"
PLANS: Final = ("free", STANDARD, "pro", "enterprise")


@dataclass(frozen=True, slots=True)
class Activity:
    """What happens in a workspace, as higher rooms tell it."""

    pipelines_count: int = 0
    last_execution: datetime | None = None


class Workspace(Base):
    """A team's place inside an organization; it may have a repository, whose pipelines then live in it.

    `repository_key` is the repository's name whichever of its addresses is given (see `find_repository_key`).
    """

    __tablename__ = "workspaces"
    __table_args__ = (
        UniqueConstraint("organization_id", "slug"),
        CheckConstraint("status IN ('active', 'inactive')", name="status"),
        Index("ix_workspaces_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_workspaces_owner_id", "owner_id"),
        Index("ix_workspaces_repository_key", "repository_key"),
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
    repository_url: Mapped[str | None]
    repository_key: Mapped[str | None]
    branch: Mapped[str] = mapped_column(server_default="main")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    # A workspace is inside itself, as an organization is: what guards things by their place guards it too.
    workspace_id: Mapped[UUID] = synonym("id")

    activity = Activity()

    @validates("repository_url")
    def _keep_key(self, _: str, url: str | None) -> str | None:
        self.repository_key = None if url is None else find_repository_key(url)
        return url


class Organization(Base):
    """Who owns workspaces and pays; everyone has a personal one from the start."""

    __tablename__ = "organizations"
    __table_args__ = (
        UniqueConstraint("slug"),
        CheckConstraint(f"plan IN {PLANS}", name="plan"),
        Index("ix_organizations_created_at", "created_at", "id"),
        Index("uq_organizations_personal", "owner_id", unique=True, postgresql_where=text("is_personal")),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    name: Mapped[str]
    slug: Mapped[str]
    description: Mapped[str | None]
    is_personal: Mapped[bool] = mapped_column(server_default=text("false"))
    plan: Mapped[str] = mapped_column(server_default=STANDARD)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    # An organization is inside itself: what guards things by their place guards it too.
    organization_id: Mapped[UUID] = synonym("id")


class Invitation(Base):
    """An address that was asked to join an organization; the token that lets in is kept as a hash."""

    __tablename__ = "invitations"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'member', 'viewer')", name="role"),
        UniqueConstraint("token_hash"),
        Index("ix_invitations_organization_id_created_at", "organization_id", "created_at", "id"),
        Index(
            "uq_invitations_open",
            "organization_id",
            text("lower(email)"),
            unique=True,
            postgresql_where=text("accepted_at IS NULL AND cancelled_at IS NULL"),
        ),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    email: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[str] = mapped_column(deferred=True, deferred_raiseload=True)
    invited_by: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[UUID | None]
    cancelled_at: Mapped[datetime | None]

    @classmethod
    def is_open(cls) -> ColumnElement[bool]:
        """Whether it can still be accepted, for queries: by the clock of the database."""
        return cls.accepted_at.is_(None) & cls.cancelled_at.is_(None) & (cls.expires_at > database_now())


Organization.member_count = column_property(
    select(func.count(Membership.id)).where(Membership.organization_id == Organization.id).scalar_subquery()
)
Organization.workspace_count = column_property(
    select(func.count(Workspace.id)).where(Workspace.organization_id == Organization.id).scalar_subquery()
)

# Identity holds these and does not know this room; see app/identity/models.py.
for _table in (Membership.__tablename__, "roles", "role_assignments", "api_keys"):
    Base.metadata.tables[_table].append_constraint(
        ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE")
    )

audited(Organization, "organization", ("name", "slug", "description", "owner_id", "plan"))
audited(
    Workspace, "workspace", ("name", "slug", "description", "plan", "status", "repository_url", "branch", "owner_id")
)
audited(
    Invitation, "invitation", ("email", "role", "expires_at", "accepted_by", "cancelled_at"), hidden=("token_hash",)
)
