"""What there is on clusters, and what is applied to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0034_cluster_inventory"
down_revision = "0033_clusters"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "cluster_inventories",
        sa.Column("cluster_id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("observed_at", sa.DateTime(timezone=True)),
        sa.Column("count", sa.Integer, server_default="0", nullable=False),
        sa.Column("truncated", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("error", sa.Text),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], ondelete="CASCADE"),
    )
    op.create_table(
        "cluster_objects",
        sa.Column("cluster_id", pg.UUID(as_uuid=True), primary_key=True),
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("kind", "namespace", "name")),
        sa.Column("status", sa.Text),
        sa.Column("data", pg.JSONB, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["cluster_id", "kind"], ["cluster_inventories.cluster_id", "cluster_inventories.kind"], ondelete="CASCADE"
        ),
    )
    op.create_index("ix_cluster_objects_status", "cluster_objects", ["cluster_id", "kind", "status"])
    op.create_table(
        "cluster_applies",
        *(
            sa.Column(name, pg.UUID(as_uuid=True), primary_key=name == "id", nullable=False)
            for name in ("id", "cluster_id", "job_id", "created_by")
        ),
        sa.Column("manifests", sa.LargeBinary, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("dry_run", "force", "everywhere", "wide")),
        sa.Column("namespaces", pg.JSONB, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
    )
    for name in ("cluster_id", "job_id"):
        op.create_index(f"ix_cluster_applies_{name}", "cluster_applies", [name])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("cluster_applies")
    op.drop_table("cluster_objects")
    op.drop_table("cluster_inventories")
