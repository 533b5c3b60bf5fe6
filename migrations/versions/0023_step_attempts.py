"""What became of the attempts of a step that another one followed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0023_step_attempts"
down_revision = "0022_external_logins"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "step_attempts",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        *(sa.Column(name, pg.UUID(as_uuid=True), nullable=False) for name in ("execution_id", "step_id")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("stage_name", "step_name")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("stage_attempt", "attempt")),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        *(sa.Column(name, sa.Integer) for name in ("exit_code", "signal")),
        sa.Column("duration_seconds", sa.Float),
        sa.Column("peak_memory_bytes", sa.BigInteger),
        sa.Column("sandbox", sa.Text),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("started_at", "finished_at")),
        sa.UniqueConstraint("step_id", "attempt"),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_step_attempts_execution_id_started_at", "step_attempts", ["execution_id", "started_at", "id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("step_attempts")
