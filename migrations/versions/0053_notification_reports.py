"""What is heard of notifications after they were handed over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0053_notification_reports"
down_revision = "0052_in_app"
branch_labels = None
depends_on = None

KINDS = ("delivered", "deferred", "bounced", "opened", "clicked", "complained", "unsubscribed")
MOMENTS = ("delivered_at", "bounced_at", "complained_at", "opened_at", "clicked_at")


def upgrade() -> None:
    """Add the columns, and create the tables."""
    for name in MOMENTS:
        op.add_column("notification_recipients", sa.Column(name, sa.DateTime(timezone=True)))
    op.add_column("notification_recipients", sa.Column("bounce_reason", sa.Text))
    op.create_index(
        "ix_notification_recipients_provider_message_id",
        "notification_recipients",
        ["provider_message_id"],
        postgresql_where=sa.text("provider_message_id IS NOT NULL"),
    )
    op.create_index("ix_notifications_finished_at", "notifications", ["finished_at"])
    _make_reports()
    _make_callbacks()


def downgrade() -> None:
    """Drop them, with what they alone can tell."""
    for table in ("sns_certificates", "notification_callbacks", "notification_reports"):
        op.drop_table(table)
    op.drop_index("ix_notifications_finished_at", "notifications")
    op.drop_index("ix_notification_recipients_provider_message_id", "notification_recipients")
    op.execute("DELETE FROM notifications WHERE type = 'webhook'")
    for name in ("bounce_reason", *MOMENTS):
        op.drop_column("notification_recipients", name)


def _make_reports() -> None:
    op.create_table(
        "notification_reports",
        sa.Column("recipient_id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "provider", "address")),
        *(sa.Column(name, sa.Text) for name in ("reason", "url")),
        sa.Column("happened_at", sa.DateTime(timezone=True)),
        _written("received_at"),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_notification_reports_kind")),
        sa.ForeignKeyConstraint(["recipient_id"], ["notification_recipients.id"], ondelete="CASCADE"),
    )


def _make_callbacks() -> None:
    op.create_table(
        "notification_callbacks",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("provider_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("body", sa.Text),
        _written("received_at"),
        sa.UniqueConstraint("provider_id", "token"),
        sa.ForeignKeyConstraint(["provider_id"], ["email_providers.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_notification_callbacks_received_at", "notification_callbacks", ["received_at"])
    op.create_table(
        "sns_certificates",
        sa.Column("url", sa.Text, primary_key=True),
        sa.Column("pem", sa.Text, nullable=False),
        _written("fetched_at"),
    )


def _written(name: str) -> sa.Column[object]:
    now = sa.text("clock_timestamp()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)
