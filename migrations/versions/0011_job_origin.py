"""The request and the trace that each job comes from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0011_job_origin"
down_revision = "0010_failures_and_bulk"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("jobs", sa.Column("origin", pg.JSONB, nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("jobs", "origin")
