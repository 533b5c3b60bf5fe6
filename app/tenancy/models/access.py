"""What opens a workspace's cluster for its members."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base
from app.kernel.sealing import seals


class WorkspaceCredential(Base):
    """The newest access of a member to their workspace's cluster, encrypted, until it expires or the membership ends.

    `role` is what it was given for: admin, edit or view. `access` is empty while a worker fetches it.
    """

    __tablename__ = "workspace_credentials"
    __mapper_args__ = {"eager_defaults": True}

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str]
    access: Mapped[bytes] = mapped_column(deferred=True)
    issued_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]


class VirtualCluster(Base):
    """What opens the virtual cluster of a workspace for the platform itself, encrypted; there is none before its
    control plane has answered for the first time."""

    __tablename__ = "virtual_clusters"
    __mapper_args__ = {"eager_defaults": True}

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    server: Mapped[str]
    version: Mapped[str | None]
    access: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def virtual_context(workspace_id: UUID) -> str:
    """Return what a ciphertext is bound to: given to another workspace, it does not open."""
    return f"virtual:{workspace_id}"


def credential_context(workspace_id: UUID, user_id: UUID) -> str:
    """Return what a ciphertext is bound to: given to another member, it does not open."""
    return f"workspace:{workspace_id}:{user_id}"


seals(VirtualCluster, "access", lambda row: virtual_context(row.workspace_id))
seals(WorkspaceCredential, "access", lambda row: credential_context(row.workspace_id, row.user_id))
