"""Files that mails carry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0054_mail_attachments"
down_revision = "0053_notification_reports"
branch_labels = None
depends_on = None

OWNED = "num_nonnulls(organization_id, client_id) = 1"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "mail_attachments",
        _id("id", primary_key=True),
        *(_id(name) for name in ("organization_id", "client_id")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("filename", "content_type")),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.CheckConstraint(OWNED, name=op.f("ck_mail_attachments_owner")),
    )
    for owner in ("organization_id", "client_id"):
        op.create_index(f"ix_mail_attachments_{owner}", "mail_attachments", [owner, "size"])
    op.create_index("ix_mail_attachments_created_at", "mail_attachments", ["created_at"])
    op.create_table(
        "notification_enclosures",
        *(_id(name, primary_key=True) for name in ("notification_id", "attachment_id")),
        sa.Column("position", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["notification_id"], ["notifications.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["attachment_id"], ["mail_attachments.id"]),
    )
    op.create_index("ix_notification_enclosures_attachment_id", "notification_enclosures", ["attachment_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("notification_enclosures")
    op.drop_table("mail_attachments")


def _id(name: str, **options: bool) -> sa.Column[object]:
    return sa.Column(name, pg.UUID(as_uuid=True), **options)  # type: ignore[arg-type]
