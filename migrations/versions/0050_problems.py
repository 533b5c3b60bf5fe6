"""Problems, their signals and their timelines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0050_problems"
down_revision = "0049_metric_sources"
branch_labels = None
depends_on = None

OWNERS = {"organization_id": "organizations", "workspace_id": "workspaces", "cluster_id": "clusters"}
SEVERITY = "severity IN ('critical', 'warning', 'info')"


def upgrade() -> None:
    """Create the tables."""
    _create_problems()
    _create_signals()
    op.create_table(
        "problem_steps",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _uuid("problem_id"),
        _now("at"),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("detail", pg.JSONB, nullable=False),
        sa.ForeignKeyConstraint(["problem_id"], ["problems.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_problem_steps_problem_id", "problem_steps", ["problem_id", "id"])


def downgrade() -> None:
    """Drop them."""
    for table in ("problem_steps", "problem_signals", "problems"):
        op.drop_table(table)


def _uuid(name: str, **said: bool) -> sa.Column[object]:
    return sa.Column(name, pg.UUID(as_uuid=True), **{"nullable": False, **said})


def _moment(name: str, **said: bool) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), **{"nullable": False, **said})


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False)


def _texts(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _create_problems() -> None:
    op.create_table(
        "problems",
        _uuid("id", primary_key=True),
        *(_uuid(name, nullable=name != "organization_id") for name in OWNERS),
        *_texts("title"),
        sa.Column("status", sa.Text, server_default="open", nullable=False),
        *_texts("severity"),
        sa.Column("cause", pg.JSONB, nullable=False),
        _uuid("assignee_id", nullable=True),
        _moment("opened_at"),
        _moment("resolved_at", nullable=True),
        _uuid("resolved_by", nullable=True),
        _moment("closed_at", nullable=True),
        sa.Column("reopened", sa.Integer, server_default="0", nullable=False),
        _uuid("merged_into", nullable=True),
        _now("created_at"),
        _now("updated_at"),
        *(sa.ForeignKeyConstraint([name], [f"{table}.id"], ondelete="CASCADE") for name, table in OWNERS.items()),
        sa.ForeignKeyConstraint(["assignee_id"], ["users.id"], ondelete="SET NULL"),
        sa.CheckConstraint("status IN ('open', 'investigating', 'resolved', 'closed')", name="status"),
        sa.CheckConstraint(SEVERITY, name="severity"),
    )
    op.create_index("ix_problems_organization_id_created_at", "problems", ["organization_id", "created_at", "id"])
    op.create_index("ix_problems_cluster_id_status", "problems", ["cluster_id", "status"])
    op.create_index("ix_problems_assignee_id", "problems", ["assignee_id"])


def _create_signals() -> None:
    op.create_table(
        "problem_signals",
        _uuid("problem_id", primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        *_texts("source", "kind"),
        sa.Column("about", pg.JSONB),
        sa.Column("places", pg.JSONB, nullable=False),
        *_texts("trait", "severity", "message"),
        sa.Column("evidence", pg.JSONB, nullable=False),
        sa.Column("opens", sa.Boolean, nullable=False),
        _moment("started_at"),
        _moment("ended_at", nullable=True),
        *(sa.Column(name, sa.Text) for name in ("explained_by", "reason")),
        sa.Column("strength", sa.Float),
        sa.ForeignKeyConstraint(["problem_id"], ["problems.id"], ondelete="CASCADE"),
        sa.CheckConstraint("source IN ('fact', 'alert', 'anomaly')", name="source"),
        sa.CheckConstraint(SEVERITY, name="severity"),
    )
    op.create_index("ix_problem_signals_key", "problem_signals", ["key"], postgresql_where=sa.text("ended_at IS NULL"))
