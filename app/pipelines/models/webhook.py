"""A workspace's incoming webhook: its secret, and what was delivered by it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.sealing import seals

TRIGGERED: Final = "triggered"
NOTHING: Final = "nothing"
PONG: Final = "pong"
OUTCOMES: Final = (TRIGGERED, NOTHING, PONG)


class WorkspaceWebhook(Base):
    """The secret by which code hosts prove who they are, encrypted and not loaded with its row.

    After a rotation the one before it stays valid until `previous_until`. `refused` counts deliveries for this
    repository that nobody had signed.
    """

    __tablename__ = "workspace_webhooks"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    secret: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    previous_secret: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    previous_until: Mapped[datetime | None]
    refused: Mapped[int] = mapped_column(Integer, server_default="0")
    refused_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    rotated_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """What one workspace made of one delivery.

    `executions` tells of each pipeline that has triggers: its `pipeline_id`, its name, and the `execution_id` or the
    `reason` there is none.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome"),
        UniqueConstraint("workspace_id", "provider", "delivery_id"),
        UniqueConstraint("workspace_id", "body_sha256", name="uq_webhook_deliveries_body"),
        Index("ix_webhook_deliveries_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    provider: Mapped[str]
    delivery_id: Mapped[str]
    body_sha256: Mapped[str]
    event: Mapped[str]
    kind: Mapped[str]
    action: Mapped[str | None]
    branch: Mapped[str | None]
    tag: Mapped[str | None]
    commit_sha: Mapped[str | None]
    pull_request: Mapped[int | None] = mapped_column(Integer)
    fork: Mapped[bool]
    sender: Mapped[str | None]
    outcome: Mapped[str]
    reason: Mapped[str | None]
    executions: Mapped[list[Any]]
    redelivered: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


audited(WorkspaceWebhook, "workspace_webhook", ("previous_until",), hidden=("secret",))


def vault_context(workspace_id: UUID) -> str:
    """Return what a secret is bound to: moved to another workspace, it does not open."""
    return f"workspace_webhook:{workspace_id}"


for _column in ("secret", "previous_secret"):
    seals(WorkspaceWebhook, _column, lambda row: vault_context(row.workspace_id))
