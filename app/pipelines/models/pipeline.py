"""A pipeline: a definition that belongs to a workspace."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base

# By its index alone, without a look into definitions: each end of an execution asks for it.
FOLLOWS_OTHERS: Final = text("""definition -> 'triggers' @> '[{"trigger_type": "pipeline"}]'::jsonb""")


class Pipeline(Base):
    """`definition` is what the parser made of `source`, the text as its author wrote it."""

    __tablename__ = "pipelines"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        Index("ix_pipelines_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index("ix_pipelines_followers", "workspace_id", postgresql_where=FOLLOWS_OTHERS),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str | None]
    definition: Mapped[dict[str, Any]]
    source: Mapped[str]
    source_format: Mapped[str]
    executions_started: Mapped[int] = mapped_column(Integer, server_default="0")
    created_by: Mapped[UUID | None]
    updated_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


audited(Pipeline, "pipeline", ("name", "description"), hidden=("source",))
