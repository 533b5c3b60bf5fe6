"""Workspaces on clusters: their places, what is done to them, their projects, and what opens them for members."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0039_workspace_places"
down_revision = "0038_quotas"
branch_labels = None
depends_on = None

ID = pg.UUID(as_uuid=True)
MOMENT = sa.DateTime(timezone=True)
STATUSES = "('active', 'inactive', 'provisioning', 'failed', 'suspended', 'deleting')"


def _now() -> sa.sql.functions.Function[object]:
    return sa.func.clock_timestamp()


def upgrade() -> None:
    """Give workspaces places, and create the tables."""
    for column in (
        sa.Column("status_reason", sa.Text),
        sa.Column("host_id", ID),
        sa.Column("isolation", sa.Text),
        sa.Column("namespace", sa.Text),
    ):
        op.add_column("workspaces", column)
    op.drop_constraint("status", "workspaces", type_="check")
    op.create_check_constraint("status", "workspaces", f"status IN {STATUSES}")
    op.create_check_constraint("isolation", "workspaces", "isolation IN ('namespace', 'vcluster')")
    op.create_check_constraint("host", "workspaces", "(host_id IS NULL) = (isolation IS NULL)")
    op.create_index("ix_workspaces_host_id", "workspaces", ["host_id"])
    op.create_foreign_key(
        "fk_workspaces_host_id_clusters", "workspaces", "clusters", ["host_id"], ["id"], ondelete="RESTRICT"
    )
    _create_projects()
    _create_project_members()
    _create_provisionings()
    _create_phases()
    _create_spaces()
    _create_credentials()


def _create_projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", ID, primary_key=True),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("parent_id", ID),
        sa.Column("depth", sa.Integer, server_default="1", nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("labels", pg.JSONB, server_default="{}", nullable=False),
        sa.Column("quota", pg.JSONB, server_default="{}", nullable=False),
        sa.Column("status", sa.Text, server_default="active", nullable=False),
        sa.Column("status_reason", sa.Text),
        sa.Column("namespace", sa.Text),
        sa.Column("created_by", ID),
        sa.Column("created_at", MOMENT, server_default=_now(), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=_now(), nullable=False),
        sa.UniqueConstraint("workspace_id", "name"),
        sa.CheckConstraint("status IN ('active', 'provisioning', 'failed', 'deleting')", name="status"),
        sa.CheckConstraint("depth BETWEEN 1 AND 5", name="depth"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["parent_id"], ["projects.id"], ondelete="RESTRICT"),
    )
    op.create_index("ix_projects_workspace_id_created_at", "projects", ["workspace_id", "created_at", "id"])
    op.create_index("ix_projects_parent_id", "projects", ["parent_id"])


def _create_project_members() -> None:
    op.create_table(
        "project_members",
        sa.Column("id", ID, primary_key=True),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, server_default=_now(), nullable=False),
        sa.UniqueConstraint("project_id", "user_id"),
        sa.CheckConstraint("role IN ('admin', 'developer', 'viewer')", name="role"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_project_members_user_id", "project_members", ["user_id"])


def _create_provisionings() -> None:
    op.create_table(
        "provisionings",
        sa.Column("id", ID, primary_key=True),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("project_id", ID),
        sa.Column("host_id", ID, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("wanted", pg.JSONB, server_default="{}", nullable=False),
        sa.Column("status", sa.Text, server_default="running", nullable=False),
        sa.Column("ends_as", sa.Text),
        sa.Column("error", pg.JSONB),
        sa.Column("waiting_for", sa.Text),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("undo_job_id", ID),
        sa.Column("created_by", ID),
        sa.Column("created_at", MOMENT, server_default=_now(), nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint("status IN ('running', 'succeeded', 'undoing', 'failed', 'cancelled')", name="status"),
    )
    op.create_index(
        "uq_provisionings_open",
        "provisionings",
        [sa.text("coalesce(project_id, workspace_id)")],
        unique=True,
        postgresql_where=sa.text("status IN ('running', 'undoing')"),
    )
    op.create_index("ix_provisionings_workspace_id_created_at", "provisionings", ["workspace_id", "created_at", "id"])
    op.create_index("ix_provisionings_project_id", "provisionings", ["project_id"])


def _create_phases() -> None:
    op.create_table(
        "provisioning_phases",
        sa.Column("provisioning_id", ID, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("share", sa.Integer, nullable=False),
        sa.Column("undoable", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("status", sa.Text, server_default="pending", nullable=False),
        sa.Column("attempt", sa.Integer),
        sa.Column("waits", sa.Integer, server_default="0", nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("undone_at", MOMENT),
        sa.Column("seconds", sa.Float),
        sa.CheckConstraint("status IN ('pending', 'ensuring', 'done', 'undoing', 'undone')", name="status"),
        sa.ForeignKeyConstraint(["provisioning_id"], ["provisionings.id"], ondelete="CASCADE"),
    )


def _create_spaces() -> None:
    op.create_table(
        "spaces",
        sa.Column("id", ID, primary_key=True),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("project_id", ID),
        sa.Column("host_id", ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("phase", sa.Text),
        sa.Column("used", pg.JSONB),
        sa.Column("hard", pg.JSONB),
        sa.Column("observed_at", MOMENT),
        sa.Column("created_at", MOMENT, server_default=_now(), nullable=False),
        sa.UniqueConstraint("host_id", "name"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_spaces_workspace_id", "spaces", ["workspace_id"])
    op.create_index("ix_spaces_project_id", "spaces", ["project_id"])
    op.create_table(
        "space_repairs",
        sa.Column("id", ID, primary_key=True),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("project_id", ID),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("fields", pg.JSONB, nullable=False),
        sa.Column("managers", pg.JSONB, nullable=False),
        sa.Column("created_at", MOMENT, server_default=_now(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_space_repairs_workspace_id_created_at", "space_repairs", ["workspace_id", "created_at", "id"])


def _create_credentials() -> None:
    op.create_table(
        "workspace_credentials",
        sa.Column("workspace_id", ID, primary_key=True),
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("access", sa.LargeBinary, nullable=False),
        sa.Column("issued_at", MOMENT, server_default=_now(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Drop the tables, and with them what says that something is on a cluster."""
    for table in (
        *("workspace_credentials", "space_repairs", "spaces", "provisioning_phases", "provisionings"),
        *("project_members", "projects"),
    ):
        op.drop_table(table)
    op.drop_constraint("fk_workspaces_host_id_clusters", "workspaces", type_="foreignkey")
    op.drop_index("ix_workspaces_host_id", "workspaces")
    for name in ("host", "isolation", "status"):
        op.drop_constraint(name, "workspaces", type_="check")
    op.execute("UPDATE workspaces SET status = 'inactive' WHERE status NOT IN ('active', 'inactive')")
    op.create_check_constraint("status", "workspaces", "status IN ('active', 'inactive')")
    for name in ("namespace", "isolation", "host_id", "status_reason"):
        op.drop_column("workspaces", name)
