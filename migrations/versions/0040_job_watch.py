"""Since when relays have watched the database without a gap."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040_job_watch"
down_revision = "0039_workspace_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of one row."""
    op.create_table(
        "job_watch",
        sa.Column("is_only", sa.Boolean, primary_key=True, server_default=sa.true()),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("is_only", name="is_only"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("job_watch")
