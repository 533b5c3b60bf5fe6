"""Stages that wait for approval, and what was said of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0025_approvals"
down_revision = "0024_test_reports"
branch_labels = None
depends_on = None

BEFORE = "'queued', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'skipped'"


def _allow(statuses: str) -> None:
    op.execute("ALTER TABLE stages DROP CONSTRAINT ck_stages_status")
    op.execute(f"ALTER TABLE stages ADD CONSTRAINT ck_stages_status CHECK (status IN ({statuses}))")


def upgrade() -> None:
    """Allow the status, and create the table."""
    _allow(f"{BEFORE}, 'waiting'")
    op.add_column("stages", sa.Column("approved", sa.Boolean, server_default=sa.false(), nullable=False))
    op.create_table(
        "stage_approvals",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        *(sa.Column(name, pg.UUID(as_uuid=True), nullable=False) for name in ("execution_id", "stage_id")),
        sa.Column("stage_name", sa.Text, nullable=False),
        sa.Column("job_id", pg.UUID(as_uuid=True), nullable=False, unique=True),
        sa.Column("status", sa.Text, server_default="waiting", nullable=False),
        sa.Column("seconds_left", sa.Float, nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("requested_at", "expires_at")),
        sa.Column("decided_by", pg.UUID(as_uuid=True)),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("comment", sa.Text),
        sa.CheckConstraint("status IN ('waiting', 'approved', 'rejected', 'expired', 'cancelled')", name="status"),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["stage_id"], ["stages.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "ix_stage_approvals_execution_id_requested_at", "stage_approvals", ["execution_id", "requested_at", "id"]
    )


def downgrade() -> None:
    """Drop it; what waits has failed."""
    op.drop_table("stage_approvals")
    op.drop_column("stages", "approved")
    op.execute("UPDATE stages SET status = 'failed' WHERE status = 'waiting'")
    _allow(BEFORE)
