"""Notifications, their recipients and attempts, email providers, templates and suppressions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0048_notifications"
down_revision = "0047_webhooks_out"
branch_labels = None
depends_on = None

STATUSES = ("scheduled", "pending", "processing", "retrying", "sent", "partial", "failed", "cancelled")
PRIORITIES = ("low", "normal", "high", "urgent")
RECIPIENTS = (
    *("pending", "sending", "retrying", "sent", "delivered", "bounced", "complained", "failed", "suppressed"),
    "cancelled",
)
REASONS = ("unsubscribed", "bounced", "complained", "manual")
OUTCOMES = ("success", "failed", "unknown")
KINDS = ("smtp", "ses", "sendgrid", "mailgun", "postmark")
OWNED = "num_nonnulls(organization_id, client_id) = 1"


def upgrade() -> None:
    """Create the tables."""
    _make_notifications()
    _make_recipients()
    _make_providers()
    _make_templates()
    _make_suppressions()


def downgrade() -> None:
    """Drop them."""
    for table in ("suppressions", "notification_templates", "email_providers"):
        op.drop_table(table)
    for table in ("notification_attempts", "notification_recipients", "notifications"):
        op.drop_table(table)


def _make_notifications() -> None:
    op.create_table(
        "notifications",
        *_owned(),
        sa.Column("type", sa.Text, server_default="email", nullable=False),
        sa.Column("status", sa.Text, server_default="pending", nullable=False),
        sa.Column("priority", sa.Text, server_default="normal", nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("html", "text")),
        _id("template_id", nullable=True),
        sa.Column("variables", pg.JSONB, server_default="{}", nullable=False),
        *(sa.Column(name, sa.Text) for name in ("from_email", "from_name", "reply_to")),
        *(sa.Column(name, pg.JSONB, server_default="[]", nullable=False) for name in ("cc", "bcc")),
        sa.Column("meta", pg.JSONB, server_default="{}", nullable=False),
        sa.Column("can_unsubscribe", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.Column("max_retry_attempts", sa.Integer, server_default="3", nullable=False),
        _moment("scheduled_for"),
        sa.Column("recipient_count", sa.Integer, server_default="0", nullable=False),
        *(_id(name, nullable=True) for name in ("job_id", "created_by")),
        _written("created_at"),
        _moment("finished_at"),
        sa.CheckConstraint(OWNED, name=op.f("ck_notifications_owner")),
        sa.CheckConstraint(f"status IN {STATUSES}", name=op.f("ck_notifications_status")),
        sa.CheckConstraint(f"priority IN {PRIORITIES}", name=op.f("ck_notifications_priority")),
    )
    for owner in ("organization_id", "client_id"):
        op.create_index(f"ix_notifications_{owner}_created_at", "notifications", [owner, "created_at", "id"])


def _make_recipients() -> None:
    op.create_table(
        "notification_recipients",
        _id("id", primary_key=True),
        _id("notification_id", nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("status", sa.Text, server_default="pending", nullable=False),
        *(sa.Column(name, sa.Text) for name in ("code", "reason")),
        *(sa.Column(name, sa.Integer, server_default="0", nullable=False) for name in ("attempt", "tries")),
        _moment("next_attempt_at"),
        *(sa.Column(name, sa.Text) for name in ("provider", "provider_message_id")),
        _moment("sent_at"),
        sa.UniqueConstraint("notification_id", "address"),
        sa.CheckConstraint(f"status IN {RECIPIENTS}", name=op.f("ck_notification_recipients_status")),
        sa.ForeignKeyConstraint(["notification_id"], ["notifications.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "ix_notification_recipients_waiting",
        "notification_recipients",
        ["notification_id", "next_attempt_at"],
        postgresql_where=sa.text("status IN ('pending', 'sending', 'retrying')"),
    )
    columns = [sa.text("lower(address)"), "notification_id"]
    op.create_index("ix_notification_recipients_address", "notification_recipients", columns)
    op.create_table(
        "notification_attempts",
        _id("recipient_id", primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("provider", sa.Text, nullable=False),
        _written("begun_at"),
        sa.Column("milliseconds", sa.Float),
        *(sa.Column(name, sa.Text) for name in ("outcome", "code", "response")),
        sa.ForeignKeyConstraint(["recipient_id"], ["notification_recipients.id"], ondelete="CASCADE"),
        sa.CheckConstraint(f"outcome IN {OUTCOMES}", name=op.f("ck_notification_attempts_outcome")),
    )


def _make_providers() -> None:
    op.create_table(
        "email_providers",
        *_owned(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("config", pg.JSONB, server_default="{}", nullable=False),
        sa.Column("credentials", sa.LargeBinary),
        sa.Column("default_from_email", sa.Text, nullable=False),
        sa.Column("default_from_name", sa.Text),
        *(sa.Column(name, sa.Boolean, server_default=sa.true(), nullable=False) for name in ("is_primary", "is_bulk")),
        sa.Column("weight", sa.Integer, server_default="1", nullable=False),
        sa.Column("rate_limit_per_second", sa.Integer, server_default="10", nullable=False),
        sa.Column("failures", sa.Integer, server_default="0", nullable=False),
        *(_moment(name) for name in ("open_until", "next_slot_at")),
        _written("created_at"),
        *_named_once(),
        sa.CheckConstraint(OWNED, name=op.f("ck_email_providers_owner")),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_email_providers_kind")),
    )


def _make_templates() -> None:
    op.create_table(
        "notification_templates",
        *_owned(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("subject", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("html", "text")),
        sa.Column("variables", pg.JSONB, server_default="[]", nullable=False),
        _id("created_by", nullable=True),
        *(_written(name) for name in ("created_at", "updated_at")),
        *_named_once(),
        sa.CheckConstraint(OWNED, name=op.f("ck_notification_templates_owner")),
    )


def _make_suppressions() -> None:
    op.create_table(
        "suppressions",
        *_owned(),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        _id("notification_id", nullable=True),
        _written("created_at"),
        *_named_once("address"),
        sa.CheckConstraint(OWNED, name=op.f("ck_suppressions_owner")),
        sa.CheckConstraint(f"reason IN {REASONS}", name=op.f("ck_suppressions_reason")),
    )


def _owned() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        _id("id", primary_key=True),
        *(_id(name, nullable=True) for name in ("organization_id", "client_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], ondelete="CASCADE"),
    )


def _named_once(column: str = "name") -> tuple[sa.UniqueConstraint, ...]:
    return tuple(sa.UniqueConstraint(owner, column) for owner in ("organization_id", "client_id"))


def _id(name: str, **options: object) -> sa.Column[object]:
    return sa.Column(name, pg.UUID(as_uuid=True), **options)  # type: ignore[arg-type]


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True))


def _written(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False)
