"""What test runners told of their tests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0024_test_reports"
down_revision = "0023_step_attempts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "test_runs",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        *(
            sa.Column(f"{name}_id", pg.UUID(as_uuid=True), nullable=False)
            for name in ("organization", "execution", "stage")
        ),
        sa.Column("stage_name", sa.Text, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("attempt", "passed", "failed", "error", "skipped")),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("faults", pg.JSONB, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.UniqueConstraint("stage_id", "attempt"),
        *(
            sa.ForeignKeyConstraint([f"{name}_id"], [f"{name}s.id"], ondelete="CASCADE")
            for name in ("organization", "execution", "stage")
        ),
    )
    op.create_index("ix_test_runs_execution_id", "test_runs", ["execution_id"])
    op.create_table(
        "test_cases",
        sa.Column("report_id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("stage_name", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("identity", "suite", "class_name", "name", "status")),
        *(sa.Column(name, sa.Text) for name in ("file", "message", "output")),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("flaky", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.CheckConstraint("status IN ('passed', 'failed', 'error', 'skipped')", name="status"),
        sa.ForeignKeyConstraint(["report_id"], ["test_runs.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_test_cases_identity", "test_cases", ["identity", "report_id"])
    op.create_index("ix_test_cases_status", "test_cases", ["report_id", "status"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("test_cases")
    op.drop_table("test_runs")
