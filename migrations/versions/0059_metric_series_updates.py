"""Series are written to without touching an index: of what each write changes none is in one, and pages have room."""

from __future__ import annotations

from alembic import op

revision = "0059_metric_series_updates"
down_revision = "0058_attachment_shares"
branch_labels = None
depends_on = None

TABLE = "metric_series"
INDEX = "ix_metric_series_written_at"


def upgrade() -> None:
    """Drop the index, and leave room in pages from now on."""
    op.drop_index(INDEX, TABLE)
    op.execute(f"ALTER TABLE {TABLE} SET (fillfactor = 70)")


def downgrade() -> None:
    """Fill pages, and index when series were written to."""
    op.execute(f"ALTER TABLE {TABLE} RESET (fillfactor)")
    op.create_index(INDEX, TABLE, ["written_at"])
