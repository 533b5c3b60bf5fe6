"""Executions that wait for others of their group, and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026_concurrency_groups"
down_revision = "0025_approvals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the index of those that have not ended."""
    op.add_column("executions", sa.Column("reason", sa.Text))
    op.add_column("executions", sa.Column("concurrency_group", sa.Text))
    # The time of this transaction first: a default that differs from row to row would write the whole table anew.
    queued_at = sa.Column("queued_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
    op.add_column("executions", queued_at)
    op.alter_column("executions", "queued_at", server_default=sa.func.clock_timestamp())
    op.create_index(
        "ix_executions_concurrency_group",
        "executions",
        ["workspace_id", "concurrency_group", "queued_at", "id"],
        postgresql_where=sa.text("concurrency_group IS NOT NULL AND status IN ('queued', 'running')"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_executions_concurrency_group", "executions")
    for name in ("queued_at", "concurrency_group", "reason"):
        op.drop_column("executions", name)
