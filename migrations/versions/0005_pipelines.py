"""Pipelines, executions, stages, steps, log chunks and artifacts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0005_pipelines"
down_revision = "0004_tenancy"
branch_labels = None
depends_on = None

EXECUTION_STATUS = "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'skipped')"


def _uuid(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, pg.UUID(as_uuid=True), nullable=options.pop("nullable", False), **options)


def _moment(name: str, *, default: bool = False) -> sa.Column[Any]:
    server_default = sa.func.clock_timestamp() if default else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=server_default, nullable=not default)


def _owner(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], ondelete="CASCADE")


def _status() -> sa.Column[Any]:
    return sa.Column("status", sa.Text, server_default="queued", nullable=False)


def _count(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, server_default="0", nullable=False)


def upgrade() -> None:
    """Create the tables."""
    _create_pipelines()
    _create_executions()
    _create_stages()
    _create_steps()
    _create_log_chunks()
    _create_artifacts()


def _create_pipelines() -> None:
    op.create_table(
        "pipelines",
        _uuid("id", primary_key=True),
        _uuid("organization_id"),
        _uuid("workspace_id"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("definition", pg.JSONB, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("source_format", sa.Text, nullable=False),
        _count("executions_started"),
        _uuid("created_by", nullable=True),
        _moment("created_at", default=True),
        _moment("updated_at", default=True),
        sa.UniqueConstraint("workspace_id", "name"),
        _owner("organization_id", "organizations"),
        _owner("workspace_id", "workspaces"),
    )
    op.create_index("ix_pipelines_workspace_id_created_at", "pipelines", ["workspace_id", "created_at", "id"])


def _create_executions() -> None:
    op.create_table(
        "executions",
        _uuid("id", primary_key=True),
        _uuid("organization_id"),
        _uuid("workspace_id"),
        _uuid("pipeline_id"),
        _uuid("job_id"),
        sa.Column("number", sa.Integer, nullable=False),
        _status(),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("repository_url", sa.Text, nullable=False),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("commit_sha", sa.Text),
        sa.Column("variables", pg.JSONB, nullable=False),
        sa.Column("plan", pg.JSONB, nullable=False),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("error", pg.JSONB),
        _uuid("created_by", nullable=True),
        _moment("created_at", default=True),
        _moment("started_at"),
        _moment("finished_at"),
        _moment("deadline_at"),
        sa.CheckConstraint(EXECUTION_STATUS, name="status"),
        sa.UniqueConstraint("pipeline_id", "number"),
        _owner("organization_id", "organizations"),
        _owner("workspace_id", "workspaces"),
        _owner("pipeline_id", "pipelines"),
    )
    for column in ("pipeline_id", "organization_id"):
        op.create_index(f"ix_executions_{column}_created_at", "executions", [column, "created_at", "id"])


def _create_stages() -> None:
    op.create_table(
        "stages",
        _uuid("id", primary_key=True),
        _uuid("execution_id"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("depends_on", pg.ARRAY(sa.Text), nullable=False),
        _status(),
        _count("attempt"),
        _count("retries_left"),
        sa.Column("may_fail", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("blocks", sa.Boolean, server_default=sa.false(), nullable=False),
        _uuid("job_id", nullable=True),
        sa.Column("reason", sa.Text),
        sa.Column("error", pg.JSONB),
        _moment("started_at"),
        _moment("finished_at"),
        sa.CheckConstraint(EXECUTION_STATUS, name="status"),
        sa.UniqueConstraint("execution_id", "name"),
        sa.UniqueConstraint("execution_id", "position"),
        _owner("execution_id", "executions"),
    )
    op.create_index("ix_stages_job_id", "stages", ["job_id"])


def _create_steps() -> None:
    op.create_table(
        "steps",
        _uuid("id", primary_key=True),
        _uuid("execution_id"),
        _uuid("stage_id"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        _status(),
        _count("attempt"),
        sa.Column("reason", sa.Text),
        sa.Column("exit_code", sa.Integer),
        sa.Column("signal", sa.Integer),
        sa.Column("duration_seconds", sa.Float),
        sa.Column("peak_memory_bytes", sa.BigInteger),
        sa.Column("sandbox", sa.Text),
        _moment("started_at"),
        _moment("finished_at"),
        sa.CheckConstraint(EXECUTION_STATUS, name="status"),
        sa.UniqueConstraint("stage_id", "name"),
        sa.UniqueConstraint("stage_id", "position"),
        _owner("execution_id", "executions"),
        _owner("stage_id", "stages"),
    )
    op.create_index("ix_steps_execution_id", "steps", ["execution_id"])


def _create_log_chunks() -> None:
    op.create_table(
        "log_chunks",
        _uuid("step_id", primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("first_seq", sa.BigInteger, primary_key=True),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        _moment("created_at", default=True),
        _owner("step_id", "steps"),
    )


def _create_artifacts() -> None:
    op.create_table(
        "artifacts",
        _uuid("id", primary_key=True),
        _uuid("organization_id"),
        _uuid("execution_id"),
        _uuid("stage_id"),
        sa.Column("stage_name", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        _moment("created_at", default=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("execution_id", "stage_name", "name"),
        _owner("organization_id", "organizations"),
        _owner("execution_id", "executions"),
        _owner("stage_id", "stages"),
    )
    op.create_index("ix_artifacts_expires_at", "artifacts", ["expires_at"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("artifacts", "log_chunks", "steps", "stages", "executions", "pipelines"):
        op.drop_table(table)
