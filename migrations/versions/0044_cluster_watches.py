"""From where the objects of a cluster are watched, and an index by which ended operations are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044_cluster_watches"
down_revision = "0043_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the indexes."""
    op.add_column("cluster_inventories", sa.Column("version", sa.Text))
    op.add_column("cluster_inventories", sa.Column("next_watch_at", sa.DateTime(timezone=True)))
    op.create_index("ix_cluster_inventories_next_watch_at", "cluster_inventories", ["next_watch_at"])
    op.create_index("ix_provisionings_finished_at", "provisionings", ["finished_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_provisionings_finished_at", "provisionings")
    op.drop_index("ix_cluster_inventories_next_watch_at", "cluster_inventories")
    op.drop_column("cluster_inventories", "next_watch_at")
    op.drop_column("cluster_inventories", "version")
