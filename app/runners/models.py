"""Runners, and the tokens that machines become runners by."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, false, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from app.kernel.audit import audited
from app.kernel.clock import utc_now
from app.kernel.db import Base
from app.kernel.ids import new_id

LIVE_SECONDS: Final = 90.0
"""After how long a silent runner counts as away."""


class _Placed:
    """What both have: they belong to an organization, or to one workspace of it, and are known by a keyed hash."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    labels: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    public_part: Mapped[str] = mapped_column(unique=True)
    secret_hash: Mapped[str]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Runner(_Placed, Base):
    """A machine of an organization that takes stages whose labels it has, `capacity` at once.

    One that drains finishes what it has; one that is disabled is refused everything. Code of forks' pull requests that
    nobody has approved it takes only if `takes_untrusted`. What it says of itself are `version`,
    `system` and `sandbox`.
    """

    __tablename__ = "runners"
    __table_args__ = (
        CheckConstraint("capacity BETWEEN 1 AND 1000", name="capacity"),
        Index("ix_runners_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_runners_workspace_id", "workspace_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    name: Mapped[str]
    capacity: Mapped[int] = mapped_column(Integer, server_default="1")
    takes_untrusted: Mapped[bool] = mapped_column(server_default=false())
    draining: Mapped[bool] = mapped_column(server_default=false())
    disabled: Mapped[bool] = mapped_column(server_default=false())
    version: Mapped[str]
    system: Mapped[str]
    sandbox: Mapped[str]
    last_seen_at: Mapped[datetime | None]
    last_seen_ip: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def worker(self) -> str:
        """What the rows of jobs say of who holds them."""
        return f"runner:{self.id}"

    @property
    def online(self) -> bool:
        """Whether it was heard of lately."""
        return self.last_seen_at is not None and utc_now() - self.last_seen_at < timedelta(seconds=LIVE_SECONDS)


class RunnerToken(_Placed, Base):
    """What lets a machine become a runner: until it expires, and `uses_left` times where that is bounded.

    Where it has labels, runners get these and may not choose their own.
    """

    __tablename__ = "runner_tokens"
    __table_args__ = (
        CheckConstraint("uses_left >= 0", name="uses_left"),
        Index("ix_runner_tokens_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_runner_tokens_workspace_id", "workspace_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    description: Mapped[str | None]
    takes_untrusted: Mapped[bool] = mapped_column(server_default=false())
    uses_left: Mapped[int | None] = mapped_column(Integer)
    expires_at: Mapped[datetime]


audited(
    Runner,
    "runner",
    ("name", "labels", "takes_untrusted", "draining", "disabled", "workspace_id"),
)
audited(
    RunnerToken,
    "runner_token",
    ("description", "labels", "takes_untrusted", "uses_left", "expires_at", "workspace_id"),
)
