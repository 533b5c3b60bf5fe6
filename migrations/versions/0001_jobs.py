"""Streams, the event log and jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0001_jobs"
down_revision = None
branch_labels = None
depends_on = None


def _moment(name: str, *, default: bool = False, nullable: bool = False) -> sa.Column[object]:
    server_default = sa.func.clock_timestamp() if default else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=server_default, nullable=nullable)


def upgrade() -> None:
    """Create the tables."""
    _create_streams()
    _create_events()
    _create_jobs()
    _index_jobs()


def _create_streams() -> None:
    op.create_table(
        "stream_topics",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "stream_events",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data", pg.JSONB, nullable=False),
        _moment("created_at", default=True),
    )
    op.create_index("ix_stream_events_created_at", "stream_events", ["created_at"], postgresql_using="brin")


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("organization_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("topics", pg.JSONB, nullable=False),
        sa.Column("data", pg.JSONB, nullable=False),
        _moment("created_at", default=True),
        _moment("dispatched_at", nullable=True),
    )
    op.create_index(
        "ix_events_undispatched", "events", ["created_at"], postgresql_where=sa.text("dispatched_at IS NULL")
    )
    op.create_index("ix_events_organization_id_created_at", "events", ["organization_id", "created_at"])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("payload", pg.JSONB, nullable=False),
        sa.Column("key", sa.Text, nullable=True),
        sa.Column("parent_id", pg.UUID(as_uuid=True), nullable=True),
        sa.Column("status", sa.Text, server_default="queued", nullable=False),
        sa.Column("attempt", sa.Integer, server_default="0", nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("percent", sa.Float, server_default="0", nullable=False),
        sa.Column("phase", sa.Text, nullable=True),
        sa.Column("message", sa.Text, nullable=True),
        sa.Column("current", sa.BigInteger, nullable=True),
        sa.Column("total", sa.BigInteger, nullable=True),
        sa.Column("result", pg.JSONB, nullable=True),
        sa.Column("error", pg.JSONB, nullable=True),
        sa.Column("resource_type", sa.Text, nullable=True),
        sa.Column("resource_id", pg.UUID(as_uuid=True), nullable=True),
        sa.Column("organization_id", pg.UUID(as_uuid=True), nullable=True),
        sa.Column("created_by", pg.UUID(as_uuid=True), nullable=True),
        _moment("created_at", default=True),
        _moment("scheduled_for", default=True),
        _moment("sent_at", default=True, nullable=True),
        _moment("started_at", nullable=True),
        _moment("finished_at", nullable=True),
        _moment("cancel_requested_at", nullable=True),
        _moment("lease_until", nullable=True),
        sa.Column("worker", sa.Text, nullable=True),
        sa.CheckConstraint("status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="status"),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
        sa.UniqueConstraint("key"),
        sa.ForeignKeyConstraint(["parent_id"], ["jobs.id"], ondelete="CASCADE"),
    )


def _index_jobs() -> None:
    queued, running = sa.text("status = 'queued'"), sa.text("status = 'running'")
    op.create_index("ix_jobs_due", "jobs", ["scheduled_for"], postgresql_where=queued)
    op.create_index("ix_jobs_leased", "jobs", ["lease_until"], postgresql_where=running)
    op.create_index("ix_jobs_organization_id_created_at", "jobs", ["organization_id", "created_at", "id"])
    op.create_index("ix_jobs_created_at", "jobs", ["created_at", "id"])
    op.create_index("ix_jobs_resource", "jobs", ["resource_type", "resource_id"])
    op.create_index("ix_jobs_parent_id", "jobs", ["parent_id"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("jobs", "events", "stream_events", "stream_topics"):
        op.drop_table(table)
