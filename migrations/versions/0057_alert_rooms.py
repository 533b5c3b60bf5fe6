"""Rooms that are told of alerts of organizations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0057_alert_rooms"
down_revision = "0056_recommendations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("chat_rooms", sa.Column("alerts_from", pg.JSONB, server_default="[]", nullable=False))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("chat_rooms", "alerts_from")
