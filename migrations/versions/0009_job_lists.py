"""Indexes for lists of jobs that are filtered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_job_lists"
down_revision = "0008_rights"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    unusual, failures = sa.text("status <> 'succeeded'"), sa.text("status = 'failed'")
    op.create_index("ix_jobs_status_created_at", "jobs", ["status", "created_at", "id"], postgresql_where=unusual)
    for column in ("kind", "queue"):
        op.create_index(f"ix_jobs_{column}_created_at", "jobs", [column, "created_at", "id"])
    code = sa.text("(error ->> 'code')")
    op.create_index("ix_jobs_error_code_created_at", "jobs", [code, "created_at", "id"], postgresql_where=failures)


def downgrade() -> None:
    """Drop them."""
    for column in ("status", "kind", "queue", "error_code"):
        op.drop_index(f"ix_jobs_{column}_created_at", "jobs")
