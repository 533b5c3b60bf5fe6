"""Roles, their assignments, API keys, and the workspaces that jobs belong to."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0008_rights"
down_revision = "0007_job_changes"
branch_labels = None
depends_on = None

BUILT_IN = (
    *("platform-admin", "platform-user"),
    *("organization-owner", "organization-admin", "organization-member", "organization-viewer"),
    *("workspace-admin", "workspace-editor", "workspace-viewer"),
    *("cluster-admin", "cluster-viewer", "namespace-admin", "namespace-editor", "namespace-viewer"),
    *("sre-engineer", "developer", "service-account"),
)


def upgrade() -> None:
    """Create the tables and name the built-in roles; what those hold is in the code."""
    op.create_table(
        "roles",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("organization_id", pg.UUID(as_uuid=True)),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("permissions", pg.ARRAY(sa.Text)),
        sa.Column("created_by", pg.UUID(as_uuid=True)),
        _now("created_at"),
        _now("updated_at"),
        sa.UniqueConstraint("organization_id", "name"),
        sa.CheckConstraint("(organization_id IS NULL) = (permissions IS NULL)", name=op.f("ck_roles_permissions")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
    )
    roles = sa.table("roles", sa.column("id", pg.UUID(as_uuid=True)), sa.column("name"))
    op.bulk_insert(
        roles, [{"id": uuid5(NAMESPACE_URL, f"urn:headrace:role:{name}"), "name": name} for name in BUILT_IN]
    )
    _make_assignments()
    _make_keys()
    op.add_column("jobs", sa.Column("workspace_id", pg.UUID(as_uuid=True)))
    op.create_index(
        "ix_jobs_workspace_id_created_at",
        "jobs",
        ["workspace_id", "created_at", "id"],
        postgresql_where=sa.text("workspace_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_jobs_workspace_id_created_at", "jobs")
    op.drop_column("jobs", "workspace_id")
    for table in ("api_keys", "role_assignments", "roles"):
        op.drop_table(table)


def _make_assignments() -> None:
    op.create_table(
        "role_assignments",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("user_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("role_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("organization_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("scope_type", sa.Text, nullable=False),
        sa.Column("scope_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("namespace", sa.Text),
        sa.Column("place", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("created_by", pg.UUID(as_uuid=True)),
        _now("created_at"),
        sa.UniqueConstraint("user_id", "role_id", "place"),
        sa.CheckConstraint(
            "scope_type IN ('organization', 'workspace', 'cluster', 'namespace')",
            name=op.f("ck_role_assignments_scope_type"),
        ),
        sa.CheckConstraint(
            "(scope_type = 'namespace') = (namespace IS NOT NULL)", name=op.f("ck_role_assignments_namespace")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
    )
    for column in ("place", "organization_id", "role_id"):
        op.create_index(f"ix_role_assignments_{column}", "role_assignments", [column])


def _make_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("created_by", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("organization_id", pg.UUID(as_uuid=True)),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("public_part", sa.Text, nullable=False, unique=True),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("scopes", pg.ARRAY(sa.Text), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_ip", sa.Text),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        _now("created_at"),
        _now("updated_at"),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
    )
    for owner in ("created_by", "organization_id"):
        op.create_index(f"ix_api_keys_{owner}_created_at", "api_keys", [owner, "created_at", "id"])


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False)
