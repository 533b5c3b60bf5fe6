"""What starts executions from outside: repositories by their names, webhooks of workspaces and their deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0019_webhooks_in"
down_revision = "0018_organization_plan"
branch_labels = None
depends_on = None

# What find_repository_key in app/tenancy/repository.py makes of the addresses that were there before this version.
_SIMPLE = r"regexp_replace(repository_url, '^(https?|ssh)://([^/@]*@)?', '')"
_SCP = r"regexp_replace(repository_url, '^[^@/]+@([^:/]+):/?', '\1/')"
_PORT = r"regexp_replace({}, '^([^/:]+):(443|80|22)/', '\1/')"
KEY = (
    r"UPDATE workspaces SET repository_key = lower(regexp_replace("  # noqa: S608 - constants
    rf"CASE WHEN repository_url LIKE '%://%' THEN {_PORT.format(_SIMPLE)} ELSE {_SCP} END, '/*(\.git)?/*$', ''))"
    r" WHERE repository_url ~* '^(https?|ssh)://' OR repository_url ~ '^[^@/]+@[^:/]+:'"
)


def upgrade() -> None:
    """Add the columns, fill the names of repositories, and create the tables."""
    op.add_column("workspaces", sa.Column("repository_key", sa.Text))
    op.execute(KEY)
    op.create_index("ix_workspaces_repository_key", "workspaces", ["repository_key"])
    op.alter_column("executions", "branch", existing_type=sa.Text, nullable=True)
    op.add_column("executions", sa.Column("tag", sa.Text))
    op.add_column("executions", sa.Column("pull_request", pg.JSONB))
    op.add_column("executions", sa.Column("fetch_ref", sa.Text))
    op.add_column("executions", sa.Column("trusted", sa.Boolean, server_default=sa.true(), nullable=False))
    op.add_column("executions", sa.Column("cause", sa.Text))
    op.add_column("executions", sa.Column("depth", sa.Integer, server_default="0", nullable=False))
    op.create_unique_constraint("uq_executions_cause", "executions", ["cause"])
    _create_webhooks()
    _create_deliveries()


def _create_webhooks() -> None:
    op.create_table(
        "workspace_webhooks",
        sa.Column("workspace_id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("organization_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("previous_secret", sa.LargeBinary),
        sa.Column("previous_until", sa.DateTime(timezone=True)),
        sa.Column("refused", sa.Integer, server_default="0", nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True)),
        *_places(),
    )


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("organization_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("workspace_id", pg.UUID(as_uuid=True), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("provider", "delivery_id", "body_sha256")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("event", "kind")),
        *(sa.Column(name, sa.Text) for name in ("action", "branch", "tag", "commit_sha")),
        sa.Column("pull_request", sa.Integer),
        sa.Column("fork", sa.Boolean, nullable=False),
        sa.Column("sender", sa.Text),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("executions", pg.JSONB, nullable=False),
        sa.Column("redelivered", sa.Integer, server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.CheckConstraint("outcome IN ('triggered', 'nothing', 'pong')", name="outcome"),
        sa.UniqueConstraint("workspace_id", "provider", "delivery_id"),
        sa.UniqueConstraint("workspace_id", "provider", "body_sha256", name="uq_webhook_deliveries_body"),
        *_places(),
    )
    op.create_index(
        "ix_webhook_deliveries_workspace_id_created_at", "webhook_deliveries", ["workspace_id", "created_at", "id"]
    )
    op.create_index("ix_webhook_deliveries_created_at", "webhook_deliveries", ["created_at"])


def _places() -> tuple[sa.ForeignKeyConstraint, ...]:
    return (
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Drop what was added; executions of tags, which had no branch, get an empty one."""
    op.drop_table("webhook_deliveries")
    op.drop_table("workspace_webhooks")
    op.drop_constraint("uq_executions_cause", "executions", type_="unique")
    for name in ("depth", "cause", "trusted", "fetch_ref", "pull_request", "tag"):
        op.drop_column("executions", name)
    op.execute("UPDATE executions SET branch = '' WHERE branch IS NULL")
    op.alter_column("executions", "branch", existing_type=sa.Text, nullable=False)
    op.drop_index("ix_workspaces_repository_key", "workspaces")
    op.drop_column("workspaces", "repository_key")
