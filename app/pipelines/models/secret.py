"""A workspace's secret: a value that is given to steps that name it, and never back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.sealing import seals


class WorkspaceSecret(Base):
    """`value` is encrypted, and not loaded with its row: nothing that shows the row could show it."""

    __tablename__ = "workspace_secrets"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str]
    value: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


audited(WorkspaceSecret, "workspace_secret", ("name",), hidden=("value",))


def vault_context(workspace_id: UUID, secret_id: UUID, name: str) -> str:
    """Return what a value is bound to: moved to another row, workspace or name, it does not open."""
    return f"workspace_secret:{workspace_id}:{secret_id}:{name}"


seals(WorkspaceSecret, "value", lambda row: vault_context(row.workspace_id, row.id, row.name))
