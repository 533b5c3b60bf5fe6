"""Numbers of notifications that were forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0055_notification_totals"
down_revision = "0054_mail_attachments"
branch_labels = None
depends_on = None

OWNERS = ("organization_id", "client_id")
GROUPED = ("day", "channel", "of_recipients", "template_id", "provider", "status", "code", "is_fallback")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "notification_totals",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        *(sa.Column(name, pg.UUID(as_uuid=True)) for name in OWNERS),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("of_recipients", sa.Boolean, nullable=False),
        sa.Column("template_id", pg.UUID(as_uuid=True)),
        sa.Column("provider", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("is_fallback", sa.Boolean, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], ondelete="CASCADE"),
        sa.CheckConstraint("num_nonnulls(organization_id, client_id) = 1", name=op.f("ck_notification_totals_owner")),
        sa.UniqueConstraint(*OWNERS, *GROUPED, name="uq_notification_totals", postgresql_nulls_not_distinct=True),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("notification_totals")
