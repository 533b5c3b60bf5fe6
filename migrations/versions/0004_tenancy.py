"""Organizations and workspaces."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0004_tenancy"
down_revision = "0003_identity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of app.tenancy, and bind the memberships to their organizations."""
    op.create_table(
        "organizations",
        sa.Column("id", UUID(as_uuid=True), nullable=False),
        sa.Column("owner_id", UUID(as_uuid=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("is_personal", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *_written(),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name="fk_organizations_owner_id_users", ondelete="RESTRICT"
        ),
        sa.UniqueConstraint("slug", name="uq_organizations_slug"),
    )
    op.create_index("ix_organizations_created_at", "organizations", ["created_at", "id"])
    op.create_index(
        "uq_organizations_personal",
        "organizations",
        ["owner_id"],
        unique=True,
        postgresql_where=sa.text("is_personal"),
    )
    op.create_foreign_key(
        "fk_memberships_organization_id_organizations",
        "memberships",
        "organizations",
        ["organization_id"],
        ["id"],
        ondelete="CASCADE",
    )
    _make_workspaces()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("workspaces")
    op.drop_constraint("fk_memberships_organization_id_organizations", "memberships", type_="foreignkey")
    op.drop_table("organizations")


def _make_workspaces() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", UUID(as_uuid=True), nullable=False),
        sa.Column("organization_id", UUID(as_uuid=True), nullable=False),
        sa.Column("owner_id", UUID(as_uuid=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("plan", sa.Text(), server_default="standard", nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("repository_url", sa.Text()),
        sa.Column("branch", sa.Text(), server_default="main", nullable=False),
        *_written(),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_workspaces_organization_id_organizations",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_workspaces_owner_id_users", ondelete="RESTRICT"),
        sa.UniqueConstraint("organization_id", "slug", name="uq_workspaces_organization_id_slug"),
        sa.CheckConstraint("status IN ('active', 'inactive')", name=op.f("ck_workspaces_status")),
    )
    columns = ["organization_id", "created_at", "id"]
    op.create_index("ix_workspaces_organization_id_created_at", "workspaces", columns)
    op.create_index("ix_workspaces_owner_id", "workspaces", ["owner_id"])


def _written() -> tuple[sa.Column[object], ...]:
    return _now("created_at"), _now("updated_at")


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False)
