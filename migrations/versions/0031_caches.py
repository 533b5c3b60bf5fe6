"""Caches of stages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0031_caches"
down_revision = "0030_deliveries_once"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    now = {"server_default": sa.func.clock_timestamp(), "nullable": False}
    op.create_table(
        "caches",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("organization_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("workspace_id", pg.UUID(as_uuid=True), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("scope", "key", "blob", "sha256")),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("files", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), **now),
        sa.Column("used_at", sa.DateTime(timezone=True), **now),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "uq_caches_key",
        "caches",
        ["workspace_id", "scope", "key"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_caches_used_at", "caches", ["used_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("caches")
