"""Caches: files of a stage that later runs find again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base


class StoredCache(Base):
    """One archive under a key, written once. `scope` says whose runs wrote it, and so who reads it; `blob` is where its
    bytes are, of which `size` are kept. A deleted one is found by nobody; its bytes go with the next pruning."""

    __tablename__ = "caches"
    __table_args__ = (
        Index(
            "uq_caches_key",
            *("workspace_id", "scope", "key"),
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_caches_used_at", "used_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    scope: Mapped[str]
    key: Mapped[str]
    blob: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    used_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    deleted_at: Mapped[datetime | None]
