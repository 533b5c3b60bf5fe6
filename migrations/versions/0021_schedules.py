"""Schedules of pipelines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0021_schedules"
down_revision = "0020_audit"
branch_labels = None
depends_on = None

# When they are due is worked out by whoever looks for what is due.
FILL = """
INSERT INTO schedules (id, organization_id, workspace_id, pipeline_id, expression, timezone)
SELECT gen_random_uuid(), organization_id, workspace_id, id, expression, 'UTC' FROM (
    SELECT DISTINCT organization_id, workspace_id, id,
        regexp_replace(trim(trigger -> 'config' ->> 'cron_expression'), '\\s+', ' ', 'g') AS expression
    FROM pipelines, jsonb_array_elements(definition -> 'triggers') AS trigger
    WHERE trigger ->> 'trigger_type' = 'schedule' AND trigger -> 'config' ->> 'cron_expression' IS NOT NULL
) AS found
"""


def upgrade() -> None:
    """Create the table, and fill it for the pipelines that are there."""
    op.create_table(
        "schedules",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        *(
            sa.Column(name, pg.UUID(as_uuid=True), nullable=False)
            for name in ("organization_id", "workspace_id", "pipeline_id")
        ),
        sa.Column("expression", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True)),
        sa.Column("last_at", sa.DateTime(timezone=True)),
        sa.Column("last_execution_id", pg.UUID(as_uuid=True)),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.UniqueConstraint("pipeline_id", "expression", "timezone"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["pipeline_id"], ["pipelines.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_schedules_next_at", "schedules", [sa.text("next_at NULLS FIRST")])
    op.execute(FILL)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("schedules")
