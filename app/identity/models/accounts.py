"""Accounts and their keys, their memberships and roles.

`Membership` lives here and not beside the organizations, because every request reads it: authentication is one query
over users, what they came in by, memberships and roles, and a lower room cannot ask a higher one. Identity knows an
organization by its id alone; the room that owns organizations adds the foreign keys.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    Select,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, synonym

from app.identity.key_texts import API_KEY
from app.identity.models.clients import ClientKey
from app.identity.permissions import BUILT_IN, OWN_ROLE_SCOPES, USER
from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id

OF_ACCOUNTS = text("client_id IS NULL")
OF_CLIENTS = text("client_id IS NOT NULL")


class User(Base):
    """A person's account, or a user of the client application `client_id`. Names and addresses are unique whatever
    their case, among accounts and among the users of one application. Without a password hash an account is entered by
    other means than a password; users of applications have none, and are entered by their key alone."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'admin')", name="role"),
        CheckConstraint("(client_id IS NULL) = (client_permissions IS NULL)", name="client_permissions"),
        CheckConstraint("client_id IS NULL OR (password_hash IS NULL AND role = 'user')", name="client"),
        Index("uq_users_username_lower", text("lower(username)"), unique=True, postgresql_where=OF_ACCOUNTS),
        Index("uq_users_email_lower", text("lower(email)"), unique=True, postgresql_where=OF_ACCOUNTS),
        Index(
            "uq_users_client_username_lower",
            "client_id",
            text("lower(username)"),
            unique=True,
            postgresql_where=OF_CLIENTS,
        ),
        Index(
            "uq_users_client_email_lower", "client_id", text("lower(email)"), unique=True, postgresql_where=OF_CLIENTS
        ),
        Index("ix_users_client_id_created_at", "client_id", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    username: Mapped[str]
    email: Mapped[str]
    email_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    password_hash: Mapped[str | None]
    role: Mapped[str] = mapped_column(server_default=USER)
    display_name: Mapped[str | None]
    bio: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())
    last_login_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    client_permissions: Mapped[list[str] | None] = mapped_column(ARRAY(Text))

    # A user is a place: their account.
    account_id: Mapped[UUID] = synonym("id")
    key: Mapped[ClientKey | None] = relationship(
        primaryjoin="and_(ClientKey.user_id == User.id, ClientKey.revoked_at.is_(None))", viewonly=True
    )

    @property
    def is_active(self) -> bool:
        """Whether they are let in at all."""
        return self.disabled_at is None

    @property
    def status(self) -> str:
        """Whether it lets in, and whether its address is known to be its owner's."""
        if self.disabled_at is not None:
            return "disabled"
        return "active" if self.email_verified else "unverified"


def accounts() -> Select[User]:
    """Select accounts, without the users of client applications: those have no login here, whatever their name and
    address, and nothing is found by these but in their own application."""
    return select(User).where(User.client_id.is_(None))


class Membership(Base):
    """A user's role in an organization."""

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),
        UniqueConstraint("user_id", "organization_id"),
        Index("ix_memberships_organization_id", "organization_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID]
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Role(Base):
    """A named set of permissions. A built-in one belongs to no organization; what it holds is not in its row but in the
    code (see permissions.py), so that a new release cannot meet an old table."""

    __tablename__ = "roles"
    __table_args__ = (
        CheckConstraint("(organization_id IS NULL) = (permissions IS NULL)", name="permissions"),
        UniqueConstraint("organization_id", "name"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None]
    name: Mapped[str]
    description: Mapped[str | None]
    permissions: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    @property
    def is_built_in(self) -> bool:
        """Whether it was there from the start and cannot be changed."""
        return self.organization_id is None

    @property
    def held(self) -> frozenset[str]:
        """What it permits."""
        return BUILT_IN[self.name].permissions if self.permissions is None else frozenset(self.permissions)

    @property
    def permissions_sorted(self) -> list[str]:
        """What it permits, in order."""
        return sorted(self.held)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The kinds of places it can be given in."""
        return BUILT_IN[self.name].scopes if self.is_built_in else OWN_ROLE_SCOPES


class RoleAssignment(Base):
    """A role that a user holds in a place of an organization, perhaps for a time. `place` is what grants go by: the
    scope's id, or for a namespace of a cluster the id made of both."""

    __tablename__ = "role_assignments"
    __table_args__ = (
        CheckConstraint("scope_type IN ('organization', 'workspace', 'cluster', 'namespace')", name="scope_type"),
        CheckConstraint("(scope_type = 'namespace') = (namespace IS NOT NULL)", name="namespace"),
        UniqueConstraint("user_id", "role_id", "place"),
        Index("ix_role_assignments_place", "place"),
        Index("ix_role_assignments_organization_id", "organization_id"),
        Index("ix_role_assignments_role_id", "role_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role_id: Mapped[UUID] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID]
    scope_type: Mapped[str]
    scope_id: Mapped[UUID]
    namespace: Mapped[str | None]
    place: Mapped[UUID]
    expires_at: Mapped[datetime | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    # The narrowest place it lies in, whatever that is: who may see the assignment is judged by it.
    namespace_id: Mapped[UUID] = synonym("place")
    role: Mapped[Role] = relationship(lazy="joined", innerjoin=True)
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)

    @property
    def short_role(self) -> str:
        """The role's name without the kind of place it is given in."""
        return self.role.name.removeprefix(f"{self.scope_type}-")

    @property
    def scope(self) -> dict[str, object]:
        """Where it is held, as clients name it."""
        return {"type": self.scope_type, "id": self.scope_id, "namespace": self.namespace}


class ApiKey(Base):
    """A key with which a program acts for its maker: found by `public_part`, known by a keyed hash of the whole. One of
    an organization reaches nothing outside of it."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("public_part"),
        Index("ix_api_keys_created_by_created_at", "created_by", "created_at", "id"),
        Index("ix_api_keys_organization_id_created_at", "organization_id", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID | None]
    name: Mapped[str]
    public_part: Mapped[str]
    secret_hash: Mapped[str] = mapped_column(deferred=True, deferred_raiseload=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_ip: Mapped[str | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    @property
    def prefix(self) -> str:
        """How its text begins."""
        return API_KEY + self.public_part


audited(
    User,
    "user",
    ("username", "email", "email_verified", "role", "display_name", "bio", "disabled_at", "client_permissions"),
    hidden=("password_hash",),
)
audited(Membership, "member", ("user_id", "role"))
audited(Role, "role", ("name", "description", "permissions"))
audited(RoleAssignment, "role_assignment", ("user_id", "role_id", "scope_type", "scope_id", "namespace", "expires_at"))
audited(ApiKey, "api_key", ("name", "scopes", "expires_at", "revoked_at"), hidden=("secret_hash",))
