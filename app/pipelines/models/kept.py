"""What is kept by name for steps: secrets and variables. Either is an organization's, a workspace's, a pipeline's or
an environment's, and what lies nearer to a step holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.sealing import seals

NEAREST_FIRST: Final = ("environment_id", "pipeline_id", "workspace_id", "organization_id")
_HOLDER: Final = f"coalesce({', '.join(NEAREST_FIRST)})"


class Kept:
    """The columns of both. `organization_id` says where it lies; one that is not the organization's own names its
    workspace, its pipeline or its environment besides, and no two of them."""

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    pipeline_id: Mapped[UUID | None] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"))
    environment_id: Mapped[UUID | None] = mapped_column(ForeignKey("environments.id", ondelete="CASCADE"))
    name: Mapped[str]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @classmethod
    def holder(cls) -> ColumnElement[UUID]:
        """The id of whose it is, for queries."""
        return func.coalesce(*(getattr(cls, name) for name in NEAREST_FIRST))


class Secret(Kept, Base):
    """A value that is given to steps that name it, and never back. `value` is encrypted, and not loaded with its row:
    nothing that shows the row could show it. One of an organization may be for some `workspace_ids` only.

    The table's name is from when workspaces alone had secrets: versions that do not know better still read it.
    """

    __tablename__ = "workspace_secrets"
    __table_args__ = (Index("uq_workspace_secrets_holder", text(_HOLDER), "name", unique=True),)

    value: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    workspace_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(PG_UUID(as_uuid=True)))


class Variable(Kept, Base):
    """A plain value that executions find in their environment, unless something nearer names it too."""

    __tablename__ = "workspace_variables"
    __table_args__ = (Index("uq_workspace_variables_holder", text(_HOLDER), "name", unique=True),)

    value: Mapped[str]


audited(Secret, "secret", ("name", *NEAREST_FIRST[:-1], "workspace_ids"), hidden=("value",))


def vault_context(secret: Any) -> str:
    """Return what a value is bound to: moved to another row, holder or name, it does not open."""
    column = next(name for name in NEAREST_FIRST if getattr(secret, name) is not None)
    return f"{column.removesuffix('_id')}_secret:{getattr(secret, column)}:{secret.id}:{secret.name}"


seals(Secret, "value", vault_context)
