"""What an owner sends by: email providers, templates, and addresses that are left alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Integer, UniqueConstraint, func, true
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.kernel.sealing import seals
from app.notifications.models.states import KINDS, OWNED, SUPPRESSION_REASONS


class EmailProvider(Base):
    """A way out for mails. `credentials` are encrypted and not loaded with the row; `open_until` is until when it is
    left alone because it failed again and again, `next_slot_at` when its rate lets the next mail go."""

    __tablename__ = "email_providers"
    __table_args__ = (
        CheckConstraint(OWNED, name="owner"),
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        UniqueConstraint("organization_id", "name"),
        UniqueConstraint("client_id", "name"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    config: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    credentials: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    default_from_email: Mapped[str]
    default_from_name: Mapped[str | None]
    is_primary: Mapped[bool] = mapped_column(Boolean, server_default=true(), default=True)
    is_bulk: Mapped[bool] = mapped_column(Boolean, server_default=true(), default=True)
    weight: Mapped[int] = mapped_column(Integer, server_default="1", default=1)
    rate_limit_per_second: Mapped[int] = mapped_column(Integer, server_default="10", default=10)
    failures: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    open_until: Mapped[datetime | None]
    next_slot_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def callback_path(self) -> str | None:
        """Where it is to tell what became of mails; a mail server tells nothing."""
        return None if self.kind == "smtp" else f"/api/v1/notifications/callbacks/{self.id}"


class Template(Base):
    """A subject and a body with variables, in Jinja's language without its ways out."""

    __tablename__ = "notification_templates"
    __table_args__ = (
        CheckConstraint(OWNED, name="owner"),
        UniqueConstraint("organization_id", "name"),
        UniqueConstraint("client_id", "name"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str | None]
    subject: Mapped[str]
    html: Mapped[str | None]
    text: Mapped[str | None]
    variables: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())


class Suppression(Base):
    """An address that an owner's notifications do not go to, and why."""

    __tablename__ = "suppressions"
    __table_args__ = (
        CheckConstraint(OWNED, name="owner"),
        CheckConstraint(f"reason IN {SUPPRESSION_REASONS}", name="reason"),
        UniqueConstraint("organization_id", "address"),
        UniqueConstraint("client_id", "address"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    address: Mapped[str]
    reason: Mapped[str]
    notification_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def vault_context(provider_id: UUID) -> str:
    """Return what a provider's credentials are bound to."""
    return f"email_provider:{provider_id}"


audited(
    EmailProvider,
    "email_provider",
    ("name", "kind", "config", "default_from_email", "is_primary", "is_bulk", "weight", "rate_limit_per_second"),
    hidden=("credentials",),
)
audited(Template, "template", ("name", "subject", "variables"), hidden=("html", "text"))
audited(Suppression, "suppression", ("address", "reason"))
seals(EmailProvider, "credentials", lambda row: vault_context(row.id))
