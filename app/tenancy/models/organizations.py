"""Organizations, and invitations to them."""

from __future__ import annotations

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
from sqlalchemy.orm import Mapped, column_property, mapped_column, synonym

from app.identity import Membership
from app.kernel.audit import audited
from app.kernel.clock import database_now
from app.kernel.db import Base
from app.kernel.ids import new_id

STANDARD: Final = "standard"
PLANS: Final = ("free", STANDARD, "pro", "enterprise")


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

# Identity holds these and does not know this room; see app/identity/models.py.
for _table in (Membership.__tablename__, "roles", "role_assignments", "api_keys"):
    Base.metadata.tables[_table].append_constraint(
        ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE")
    )

audited(Organization, "organization", ("name", "slug", "description", "owner_id", "plan"))
audited(
    Invitation, "invitation", ("email", "role", "expires_at", "accepted_by", "cancelled_at"), hidden=("token_hash",)
)
