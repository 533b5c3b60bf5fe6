"""Secrets and variables of organizations and pipelines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0036_holders"
down_revision = "0035_clients"
branch_labels = None
depends_on = None

TABLES = ("workspace_secrets", "workspace_variables")


def upgrade() -> None:
    """Let a row be an organization's, a workspace's or a pipeline's, and unique by its name there."""
    for table in TABLES:
        op.add_column(table, sa.Column("pipeline_id", pg.UUID(as_uuid=True)))
        op.create_foreign_key(
            f"fk_{table}_pipeline_id_pipelines", table, "pipelines", ["pipeline_id"], ["id"], ondelete="CASCADE"
        )
        op.alter_column(table, "workspace_id", nullable=True)
        op.drop_constraint(f"uq_{table}_workspace_id_name", table)
        holder = sa.text("coalesce(pipeline_id, workspace_id, organization_id)")
        op.create_index(f"uq_{table}_holder", table, [holder, "name"], unique=True)
    op.add_column("workspace_secrets", sa.Column("workspace_ids", pg.ARRAY(pg.UUID(as_uuid=True))))


def downgrade() -> None:
    """Forget those that are no workspace's."""
    op.drop_column("workspace_secrets", "workspace_ids")
    for table in TABLES:
        op.execute(sa.delete(sa.table(table, sa.column("workspace_id"))).where(sa.column("workspace_id").is_(None)))
        op.drop_index(f"uq_{table}_holder", table)
        op.create_unique_constraint(f"uq_{table}_workspace_id_name", table, ["workspace_id", "name"])
        op.alter_column(table, "workspace_id", nullable=False)
        op.drop_column(table, "pipeline_id")
