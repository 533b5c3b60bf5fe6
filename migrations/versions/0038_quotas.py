"""Quotas of unfinished executions by plan."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038_quotas"
down_revision = "0037_environments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the index by which unfinished executions are counted."""
    op.create_table(
        "plan_quotas",
        sa.Column("plan", sa.Text, primary_key=True),
        sa.Column("executions", sa.Integer, nullable=False),
    )
    some = sa.text("status IN ('queued', 'running')")
    op.create_index("ix_executions_unfinished", "executions", ["organization_id"], postgresql_where=some)


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_executions_unfinished", "executions")
    op.drop_table("plan_quotas")
