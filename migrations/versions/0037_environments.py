"""Environments, deployments, and who began an execution."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0037_environments"
down_revision = "0036_holders"
branch_labels = None
depends_on = None

KEPT = ("workspace_secrets", "workspace_variables")
ID, NOW = pg.UUID(as_uuid=True), sa.func.clock_timestamp()


def _place(*names: str) -> list[sa.SchemaItem]:
    tables = {"organization_id": "organizations", "workspace_id": "workspaces"}
    targets = {name: tables.get(name, f"{name.removesuffix('_id')}s") for name in names}
    return [
        *(sa.Column(name, ID, nullable=False) for name in names),
        *(sa.ForeignKeyConstraint([name], [f"{table}.id"], ondelete="CASCADE") for name, table in targets.items()),
    ]


def _make_environments() -> None:
    texts = [
        sa.Column(name, pg.ARRAY(sa.Text), server_default="{}", nullable=False)
        for name in ("branch_patterns", "tag_patterns", "approvers")
    ]
    op.create_table(
        "environments",
        sa.Column("id", ID, primary_key=True),
        *_place("organization_id", "workspace_id"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        *texts,
        sa.Column("not_by_starter", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("live_id", ID),
        *(
            sa.Column(name, sa.DateTime(timezone=True), server_default=NOW, nullable=False)
            for name in ("created_at", "updated_at")
        ),
        sa.UniqueConstraint("workspace_id", "name"),
    )


def _make_deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", ID, primary_key=True),
        *_place("organization_id", "workspace_id", "environment_id", "execution_id", "stage_id"),
        sa.Column("stage_name", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, server_default="running", nullable=False),
        *(sa.Column(name, sa.Text) for name in ("branch", "tag", "url")),
        sa.Column("commit_sha", sa.Text, nullable=False),
        sa.Column("created_by", ID),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("status IN ('running', 'succeeded', 'failed', 'cancelled', 'timed_out')", name="status"),
    )
    op.create_index("ix_deployments_environment_id_started_at", "deployments", ["environment_id", "started_at", "id"])
    op.create_index("ix_deployments_stage_id", "deployments", ["stage_id"])


def _name_holders(table: str, *columns: str) -> None:
    op.drop_index(f"uq_{table}_holder", table)
    holder = sa.text(f"coalesce({', '.join(columns)})")
    op.create_index(f"uq_{table}_holder", table, [holder, "name"], unique=True)


def upgrade() -> None:
    """Create the tables, and let stages, secrets and variables name environments."""
    _make_environments()
    _make_deployments()
    op.add_column("stages", sa.Column("environment_id", ID))
    op.add_column("stages", sa.Column("turn_asked_at", sa.DateTime(timezone=True)))
    op.create_foreign_key(
        "fk_stages_environment_id_environments",
        "stages",
        "environments",
        ["environment_id"],
        ["id"],
        ondelete="SET NULL",
    )
    some = sa.text("environment_id IS NOT NULL AND status IN ('queued', 'running')")
    op.create_index("ix_stages_environment_id", "stages", ["environment_id"], postgresql_where=some)
    op.add_column("executions", sa.Column("begun_by", pg.ARRAY(ID), server_default="{}", nullable=False))
    op.add_column("executions", sa.Column("commit_given", sa.Boolean, server_default=sa.false(), nullable=False))
    op.add_column("pipelines", sa.Column("updated_by", ID))
    for table in KEPT:
        op.add_column(table, sa.Column("environment_id", ID))
        name = f"fk_{table}_environment_id_environments"
        op.create_foreign_key(name, table, "environments", ["environment_id"], ["id"], ondelete="CASCADE")
        _name_holders(table, "environment_id", "pipeline_id", "workspace_id", "organization_id")


def downgrade() -> None:
    """Drop it all; what environments kept is forgotten."""
    for table in KEPT:
        op.execute(sa.delete(sa.table(table)).where(sa.column("environment_id").is_not(None)))
        _name_holders(table, "pipeline_id", "workspace_id", "organization_id")
        op.drop_column(table, "environment_id")
    op.drop_column("pipelines", "updated_by")
    for table, columns in (
        ("executions", ("commit_given", "begun_by")),
        ("stages", ("turn_asked_at", "environment_id")),
    ):
        for column in columns:
            op.drop_column(table, column)
    op.drop_table("deployments")
    op.drop_table("environments")
