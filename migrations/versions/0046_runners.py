"""Runners, the tokens they register with, and the stages that wait for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0046_runners"
down_revision = "0045_virtual_clusters"
branch_labels = None
depends_on = None

ID = pg.UUID(as_uuid=True)
TIME = sa.DateTime(timezone=True)
NOW = {"server_default": sa.func.clock_timestamp(), "nullable": False}
NO = {"server_default": sa.false(), "nullable": False}


def _create(table: str, *columns: sa.SchemaItem) -> None:
    op.create_table(
        table,
        sa.Column("id", ID, primary_key=True),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("workspace_id", ID),
        sa.Column("labels", pg.ARRAY(sa.Text), server_default="{}", nullable=False),
        sa.Column("public_part", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("created_by", ID),
        sa.Column("created_at", TIME, **NOW),
        *columns,
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("public_part"),
    )
    op.create_index(f"ix_{table}_organization_id_created_at", table, ["organization_id", "created_at", "id"])
    op.create_index(f"ix_{table}_workspace_id", table, ["workspace_id"])


def upgrade() -> None:
    """Create the tables, and say of stages which labels they ask for."""
    _create(
        "runners",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("capacity", sa.Integer, server_default="1", nullable=False),
        *(sa.Column(name, sa.Boolean, **NO) for name in ("takes_untrusted", "draining", "disabled")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("version", "system", "sandbox")),
        sa.Column("last_seen_at", TIME),
        sa.Column("last_seen_ip", sa.Text),
        sa.Column("updated_at", TIME, **NOW),
        sa.CheckConstraint("capacity BETWEEN 1 AND 1000", name="capacity"),
    )
    _create(
        "runner_tokens",
        sa.Column("description", sa.Text),
        sa.Column("takes_untrusted", sa.Boolean, **NO),
        sa.Column("uses_left", sa.Integer),
        sa.Column("expires_at", TIME, nullable=False),
        sa.CheckConstraint("uses_left >= 0", name="uses_left"),
    )
    op.add_column("stages", sa.Column("runs_on", pg.ARRAY(sa.Text), server_default="{}", nullable=False))
    op.add_column("stages", sa.Column("runner_asked_at", TIME))
    op.add_column("stages", sa.Column("runner", sa.Text))
    op.add_column("stages", sa.Column("received_bytes", sa.BigInteger, server_default="0", nullable=False))


def downgrade() -> None:
    """Drop it all."""
    for column in ("received_bytes", "runner", "runner_asked_at", "runs_on"):
        op.drop_column("stages", column)
    op.drop_table("runner_tokens")
    op.drop_table("runners")
