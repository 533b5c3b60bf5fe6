"""Recommendations, and each time that one was applied."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0056_recommendations"
down_revision = "0055_notification_totals"
branch_labels = None
depends_on = None

KINDS = ("rightsizing", "scaling", "missing_probes", "missing_limits", "unused_workload", "expiring_certificate")
STATUSES = ("open", "dismissed", "applied", "resolved")
PRIORITIES = ("high", "medium", "low")
JOB_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
OWNERS = {"organization_id": "organizations", "cluster_id": "clusters"}
KEY = ("cluster_id", "kind", "resource_kind", "namespace", "resource_name", "container")


def upgrade() -> None:
    """Create the tables."""
    _create_recommendations()
    _create_applies()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("recommendation_applies")
    op.drop_table("recommendations")


def _create_recommendations() -> None:
    texts = ("kind", "resource_kind", "namespace", "resource_name", "container")
    op.create_table(
        "recommendations",
        _uuid("id", primary_key=True),
        *_owned(),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("status", sa.Text, server_default="open", nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("priority", "title", "formula")),
        sa.Column("evidence", pg.JSONB, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("expected_effect", pg.JSONB, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("patch", pg.JSONB),
        sa.Column("basis", pg.JSONB, nullable=False),
        sa.Column("settled_basis", pg.JSONB),
        sa.Column("feedback", pg.JSONB, server_default="[]", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        *(_now(name) for name in ("created_at", "found_at")),
        sa.CheckConstraint(f"kind IN {KINDS}", name="kind"),
        sa.CheckConstraint(f"status IN {STATUSES}", name="status"),
        sa.CheckConstraint(f"priority IN {PRIORITIES}", name="priority"),
        sa.UniqueConstraint(*KEY, name="uq_recommendations_subject"),
    )
    columns = ["organization_id", "status", "created_at", "id"]
    op.create_index("ix_recommendations_organization_id_status", "recommendations", columns)


def _create_applies() -> None:
    op.create_table(
        "recommendation_applies",
        _uuid("id", primary_key=True),
        *_owned(),
        _uuid("recommendation_id"),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, server_default="queued", nullable=False),
        *(sa.Column(name, pg.JSONB, nullable=False) for name in ("patch", "facts", "expected_effect")),
        *(sa.Column(name, pg.JSONB) for name in ("outcome", "error", "effect")),
        _uuid("created_by"),
        _now("created_at"),
        *(sa.Column(name, sa.DateTime(timezone=True)) for name in ("finished_at", "measured_at")),
        sa.ForeignKeyConstraint(["recommendation_id"], ["recommendations.id"], ondelete="CASCADE"),
        sa.CheckConstraint(f"status IN {JOB_STATUSES}", name="status"),
    )
    op.create_index(
        "uq_recommendation_applies_unended",
        "recommendation_applies",
        ["recommendation_id"],
        unique=True,
        postgresql_where=sa.text("NOT dry_run AND status IN ('queued', 'running')"),
    )
    columns = ["recommendation_id", "created_at", "id"]
    op.create_index("ix_recommendation_applies_recommendation_id_created_at", "recommendation_applies", columns)


def _owned() -> list[sa.SchemaItem]:
    keys = [sa.ForeignKeyConstraint([name], [f"{table}.id"], ondelete="CASCADE") for name, table in OWNERS.items()]
    return [*(_uuid(name) for name in OWNERS), *keys]


def _uuid(name: str, **said: bool) -> sa.Column[object]:
    return sa.Column(name, pg.UUID(as_uuid=True), **{"nullable": False, **said})


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False)
