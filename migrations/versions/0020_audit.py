"""The audit log: weeks are partitions, and the database refuses to change what is in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0020_audit"
down_revision = "0019_webhooks_in"
branch_labels = None
depends_on = None

REFUSE = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$
"""
ROWS = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()
"""
WHOLE = """
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
"""


def upgrade() -> None:
    """Create the log and what guards it."""
    op.create_table(
        "audit_log",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), primary_key=True),
        sa.Column("actor_id", pg.UUID(as_uuid=True)),
        sa.Column("actor", sa.Text),
        sa.Column("key_id", pg.UUID(as_uuid=True)),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("resource_type", sa.Text),
        sa.Column("resource_id", sa.Text),
        sa.Column("organization_id", pg.UUID(as_uuid=True)),
        sa.Column("change", sa.Text),
        sa.Column("changes", pg.JSONB, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("user_agent", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("count", sa.Integer, server_default="1", nullable=False),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at", "id"])
    for column in ("organization_id", "actor_id", "resource_id"):
        op.create_index(f"ix_audit_log_{column}_at", "audit_log", [column, "at", "id"])
    op.execute("CREATE TABLE audit_log_rest PARTITION OF audit_log DEFAULT")
    op.execute(REFUSE)
    op.execute(ROWS)
    for table in ("audit_log", "audit_log_rest"):
        op.execute(WHOLE.format(table))


def downgrade() -> None:
    """Drop them."""
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION refuse_audit_change()")
