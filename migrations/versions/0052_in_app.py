"""Notifications within applications: to users, with a mail to who is not connected."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0052_in_app"
down_revision = "0051_attachments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("notifications", sa.Column("room_id", pg.UUID(as_uuid=True)))
    op.add_column("notifications", sa.Column("email_fallback", pg.JSONB))
    op.add_column("notifications", _no("fallback_used"))
    op.add_column("notification_recipients", sa.Column("user_id", pg.UUID(as_uuid=True)))
    op.add_column("notification_recipients", sa.Column("email", sa.Text))
    op.add_column("notification_recipients", _no("is_fallback"))


def downgrade() -> None:
    """Drop them, with what they alone can tell."""
    op.execute("DELETE FROM notifications WHERE type <> 'email'")
    for column in ("is_fallback", "email", "user_id"):
        op.drop_column("notification_recipients", column)
    for column in ("fallback_used", "email_fallback", "room_id"):
        op.drop_column("notifications", column)


def _no(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, server_default=sa.false(), nullable=False)
