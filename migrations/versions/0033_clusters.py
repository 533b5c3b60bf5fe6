"""Clusters, how they fare, and the clusters that jobs belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0033_clusters"
down_revision = "0032_workspace_variables"
branch_labels = None
depends_on = None

STATUSES = ("pending", "provisioning", "connected", "error", "disconnected", "deleting")


def upgrade() -> None:
    """Create the tables, and let jobs lie in clusters."""
    _make_clusters()
    _make_health()
    op.add_column("jobs", sa.Column("cluster_id", pg.UUID(as_uuid=True)))
    op.create_index(
        "ix_jobs_cluster_id_created_at",
        "jobs",
        ["cluster_id", "created_at", "id"],
        postgresql_where=sa.text("cluster_id IS NOT NULL"),
    )
    _index_failures("organization_id", "workspace_id", "cluster_id", "created_by")


def downgrade() -> None:
    """Drop them."""
    _index_failures("organization_id", "workspace_id", "created_by")
    op.drop_index("ix_jobs_cluster_id_created_at", "jobs")
    op.drop_column("jobs", "cluster_id")
    for table in ("cluster_checks", "cluster_health", "clusters"):
        op.drop_table(table)


def _make_clusters() -> None:
    op.create_table(
        "clusters",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("organization_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("managed", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("region", sa.Text),
        sa.Column("tags", pg.JSONB, server_default="{}", nullable=False),
        sa.Column("parameters", pg.JSONB, server_default="{}", nullable=False),
        sa.Column("server", sa.Text),
        sa.Column("credentials", sa.LargeBinary),
        sa.Column("provider_credentials", sa.LargeBinary),
        sa.Column("status", sa.Text, server_default="pending", nullable=False),
        *(sa.Column(name, sa.Text) for name in ("status_reason", "version")),
        sa.Column("created_by", pg.UUID(as_uuid=True)),
        _moment("created_at", server_default=sa.func.clock_timestamp(), nullable=False),
        _moment("updated_at", server_default=sa.func.clock_timestamp(), nullable=False),
        sa.UniqueConstraint("organization_id", "name"),
        sa.CheckConstraint(f"status IN {STATUSES}", name=op.f("ck_clusters_status")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="RESTRICT"),
    )
    op.create_index("ix_clusters_organization_id_created_at", "clusters", ["organization_id", "created_at", "id"])
    op.create_index("ix_clusters_created_at", "clusters", ["created_at", "id"])


def _make_health() -> None:
    op.create_table(
        "cluster_health",
        sa.Column("cluster_id", pg.UUID(as_uuid=True), primary_key=True),
        *(_moment(name) for name in ("checked_at", "answered_at")),
        sa.Column("failures", sa.Integer, server_default="0", nullable=False),
        sa.Column("latency_ms", sa.Float),
        *(sa.Column(name, sa.Text) for name in ("step", "code", "message")),
        *(sa.Column(name, sa.Integer) for name in ("node_count", "ready_nodes")),
        *(_moment(name) for name in ("next_check_at", "next_inventory_at")),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], ondelete="CASCADE"),
    )
    for name in ("next_check_at", "next_inventory_at"):
        op.create_index(f"ix_cluster_health_{name}", "cluster_health", [name])
    op.create_table(
        "cluster_checks",
        sa.Column("cluster_id", pg.UUID(as_uuid=True), primary_key=True),
        _moment("at", primary_key=True),
        sa.Column("healthy", sa.Boolean, nullable=False),
        sa.Column("latency_ms", sa.Float),
        *(sa.Column(name, sa.Text) for name in ("step", "code", "message")),
        sa.ForeignKeyConstraint(["cluster_id"], ["clusters.id"], ondelete="CASCADE"),
    )


def _moment(name: str, **options: object) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), **options)  # type: ignore[arg-type]


def _index_failures(*included: str) -> None:
    """Index failures anew: what is asked of them is answered from the index alone."""
    op.drop_index("ix_jobs_failures", "jobs")
    op.create_index(
        "ix_jobs_failures",
        "jobs",
        ["fingerprint", "finished_at"],
        postgresql_where=sa.text("status = 'failed'"),
        postgresql_include=list(included),
    )
