"""Fingerprints of failed jobs with the indexes that find and group them, and the rows of bulk jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0010_failures_and_bulk"
down_revision = "0009_job_lists"
branch_labels = None
depends_on = None

# What app/jobs/failures.py makes of an error that knows no place, as those before this version.
FINGERPRINT = "left(encode(sha256(convert_to(concat(error ->> 'code', E'\\n', kind, E'\\n'), 'UTF8')), 'hex'), 16)"


def upgrade() -> None:
    """Add the column, fill it for what has failed already, and create the table."""
    op.add_column("jobs", sa.Column("fingerprint", sa.Text, nullable=True))
    op.execute(
        f"UPDATE jobs SET fingerprint = {FINGERPRINT},"  # noqa: S608 - a constant
        f" error = error || jsonb_build_object('fingerprint', {FINGERPRINT})"
        " WHERE status = 'failed' AND error ->> 'code' IS NOT NULL"
    )
    _create_indexes()
    _create_bulks()


def _create_indexes() -> None:
    failed = sa.text("status = 'failed'")
    op.create_index(
        "ix_jobs_fingerprint_created_at", "jobs", ["fingerprint", "created_at", "id"], postgresql_where=failed
    )
    op.create_index(
        "ix_jobs_failures",
        "jobs",
        ["fingerprint", "finished_at"],
        postgresql_where=failed,
        postgresql_include=["organization_id", "workspace_id", "created_by"],
    )


def _create_bulks() -> None:
    op.create_table(
        "job_bulks",
        sa.Column("job_id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("filter", pg.JSONB, nullable=False),
        sa.Column("everything", sa.Boolean, nullable=False),
        sa.Column("places", pg.JSONB, nullable=False),
        sa.Column("user_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("rate", sa.Integer, nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("matched", sa.Integer, nullable=True),
        sa.Column("position", pg.UUID(as_uuid=True), nullable=True),
        sa.Column("done", sa.Integer, server_default="0", nullable=False),
        sa.Column("skipped", pg.JSONB, server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("job_bulks")
    for name in ("ix_jobs_failures", "ix_jobs_fingerprint_created_at"):
        op.drop_index(name, "jobs")
    op.drop_column("jobs", "fingerprint")
