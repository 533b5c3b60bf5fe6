"""What opens the virtual clusters of workspaces."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0045_virtual_clusters"
down_revision = "0044_cluster_watches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "virtual_clusters",
        sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("version", sa.Text),
        sa.Column("access", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("virtual_clusters")
