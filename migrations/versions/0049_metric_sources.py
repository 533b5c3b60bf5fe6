"""Sources that samples are pulled from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0049_metric_sources"
down_revision = "0048_notifications"
branch_labels = None
depends_on = None

OWNERS = {"organization_id": "organizations", "workspace_id": "workspaces", "cluster_id": "clusters"}


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "metric_sources",
        _uuid("id", primary_key=True),
        *(_uuid(name, nullable=name != "organization_id") for name in OWNERS),
        *(sa.Column(name, sa.Text, nullable=name == "url") for name in ("kind", "name", "url")),
        sa.Column("credentials", sa.LargeBinary),
        sa.Column("queries", pg.JSONB, server_default="[]", nullable=False),
        sa.Column("interval_seconds", sa.Integer, nullable=False),
        sa.Column("enabled", sa.Boolean, server_default=sa.true(), nullable=False),
        _now("next_pull_at"),
        sa.Column("pulled_until", sa.Float),
        sa.Column("pulled_at", sa.DateTime(timezone=True)),
        sa.Column("span_seconds", sa.Integer, server_default="3600", nullable=False),
        sa.Column("failures", sa.Integer, server_default="0", nullable=False),
        *(sa.Column(name, sa.Text) for name in ("error_code", "error")),
        sa.Column("series", sa.Integer, server_default="0", nullable=False),
        sa.Column("samples", sa.BigInteger, server_default="0", nullable=False),
        _uuid("created_by", nullable=True),
        *(_now(name) for name in ("created_at", "updated_at")),
        *(sa.ForeignKeyConstraint([name], [f"{table}.id"], ondelete="CASCADE") for name, table in OWNERS.items()),
        sa.CheckConstraint("kind IN ('prometheus', 'kubernetes')", name=op.f("ck_metric_sources_kind")),
        sa.CheckConstraint("(kind = 'prometheus') = (url IS NOT NULL)", name=op.f("ck_metric_sources_url")),
    )
    _make_indexes()


def downgrade() -> None:
    """Drop it; what was pulled stays."""
    op.drop_table("metric_sources")


def _make_indexes() -> None:
    op.create_index(
        "uq_metric_sources_cluster_id",
        "metric_sources",
        ["cluster_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'kubernetes'"),
    )
    columns = ["organization_id", "created_at", "id"]
    op.create_index("ix_metric_sources_organization_id_created_at", "metric_sources", columns)
    due = sa.text("enabled")
    op.create_index("ix_metric_sources_next_pull_at", "metric_sources", ["next_pull_at"], postgresql_where=due)


def _uuid(name: str, **said: bool) -> sa.Column[object]:
    return sa.Column(name, pg.UUID(as_uuid=True), **{"nullable": False, **said})


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False)
