"""Totals of what happened to jobs, folded from their history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_job_totals"
down_revision = "0011_job_origin"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; all of the history there is will be folded."""
    op.create_table(
        "job_totals",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("name", "queue", "kind", "label")),
        sa.Column("total", sa.Float, nullable=False),
    )
    op.create_table(
        "job_totals_mark",
        sa.Column("is_only", sa.Boolean, server_default=sa.true(), primary_key=True),
        sa.Column("transaction_id", sa.BigInteger, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("folded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("is_only", name="is_only"),
    )
    op.execute("INSERT INTO job_totals_mark VALUES (true, 0, to_timestamp(0), clock_timestamp())")


def downgrade() -> None:
    """Drop them."""
    op.drop_table("job_totals_mark")
    op.drop_table("job_totals")
