"""What a workspace wants of its pipelines beyond their definitions."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, false, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base

PROVIDERS: Final = ("github", "gitlab", "gitea")


class PipelineSettings(Base):
    """`report_status` names the kind of host that is told how commits fare, and its API where that is not at the
    repository's address; `badge_public` shows the pipelines' badges to everybody.
    """

    __tablename__ = "pipeline_settings"
    __table_args__ = (CheckConstraint(f"report_status IN {PROVIDERS}", name="report_status"),)

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    report_status: Mapped[str | None]
    status_api_url: Mapped[str | None]
    badge_public: Mapped[bool] = mapped_column(server_default=false())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())


audited(PipelineSettings, "pipeline_settings", ("report_status", "status_api_url", "badge_public"))
