"""Webhooks out, and events that lie in client applications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0047_webhooks_out"
down_revision = "0046_runners"
branch_labels = None
depends_on = None

STATES = ("active", "inactive", "suspended", "disabled")
ORDERINGS = ("none", "per-subject")
STATUSES = ("pending", "delivering", "retrying", "succeeded", "failed")
KINDS = ("event", "test", "digest")


def upgrade() -> None:
    """Create the tables, and let events lie in applications."""
    op.alter_column("events", "organization_id", nullable=True)
    op.add_column("events", _id("client_id", nullable=True))
    op.add_column("events", sa.Column("subject", sa.Text, server_default="", nullable=False))
    op.create_index(
        "ix_events_client_id_created_at",
        "events",
        ["client_id", "created_at"],
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )
    _make_endpoints()
    _make_health()
    _make_deliveries()
    _make_attempts()


def downgrade() -> None:
    """Drop them, and the events that an older version could not read."""
    for table in ("outgoing_subjects", "outgoing_attempts", "outgoing_deliveries", "webhook_health"):
        op.drop_table(table)
    op.drop_table("webhook_endpoints")
    op.drop_index("ix_events_client_id_created_at", "events")
    op.execute("DELETE FROM events WHERE organization_id IS NULL")
    for column in ("subject", "client_id"):
        op.drop_column("events", column)
    op.alter_column("events", "organization_id", nullable=False)


def _make_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        _id("id", primary_key=True),
        *(_id(name, nullable=True) for name in ("organization_id", "client_id")),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("events", pg.JSONB, nullable=False),
        sa.Column("resource_filters", pg.JSONB, server_default="{}", nullable=False),
        sa.Column("ordering", sa.Text, server_default="none", nullable=False),
        sa.Column("concurrency", sa.Integer, server_default="5", nullable=False),
        sa.Column("meta", pg.JSONB, server_default="{}", nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        *(sa.Column(name, sa.LargeBinary) for name in ("previous_secret", "custom_headers")),
        _moment("previous_until"),
        sa.Column("state", sa.Text, server_default="active", nullable=False),
        sa.Column("state_reason", sa.Text),
        _id("created_by", nullable=True),
        *(_moment(name, server_default=sa.func.clock_timestamp(), nullable=False) for name in _WRITTEN),
        sa.CheckConstraint("num_nonnulls(organization_id, client_id) = 1", name=op.f("ck_webhook_endpoints_owner")),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_webhook_endpoints_state")),
        sa.CheckConstraint(f"ordering IN {ORDERINGS}", name=op.f("ck_webhook_endpoints_ordering")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], ondelete="CASCADE"),
    )
    for owner in ("organization_id", "client_id"):
        columns = [owner, "created_at", "id"]
        op.create_index(f"ix_webhook_endpoints_{owner}_created_at", "webhook_endpoints", columns)
    op.create_index("ix_webhook_endpoints_created_at", "webhook_endpoints", ["created_at", "id"])


def _make_health() -> None:
    op.create_table(
        "webhook_health",
        _id("webhook_id", primary_key=True),
        sa.Column("failures", sa.Integer, server_default="0", nullable=False),
        *(_moment(name) for name in ("failing_since", "last_delivery_at", "last_success_at")),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        *(_moment(name) for name in ("due_at", "served_at")),
        _of_endpoint(),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_webhook_health_due_at", "webhook_health", ["due_at"], postgresql_where=due)


def _make_deliveries() -> None:
    op.create_table(
        "outgoing_deliveries",
        _id("id", primary_key=True),
        _id("webhook_id", nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        _id("event_id", nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("status", sa.Text, server_default="pending", nullable=False),
        *(sa.Column(name, sa.Integer, server_default="0", nullable=False) for name in ("attempt", "tries")),
        *(_moment(name) for name in ("next_attempt_at", "begun_at", "finished_at")),
        sa.Column("last_status", sa.Integer),
        *(sa.Column(name, sa.Text) for name in ("last_code", "last_error")),
        _moment("created_at", server_default=sa.func.clock_timestamp(), nullable=False),
        sa.UniqueConstraint("webhook_id", "event_id"),
        sa.CheckConstraint(f"status IN {STATUSES}", name=op.f("ck_outgoing_deliveries_status")),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_outgoing_deliveries_kind")),
        _of_endpoint(),
    )
    for name, columns, where in (
        ("webhook_id_created_at", ["webhook_id", "created_at", "id"], None),
        ("created_at", ["created_at"], None),
        ("due", ["webhook_id", "next_attempt_at"], "next_attempt_at IS NOT NULL"),
        ("busy", ["webhook_id"], "status = 'delivering'"),
        ("line", ["webhook_id", "subject", "sequence"], "sequence IS NOT NULL AND finished_at IS NULL"),
    ):
        some = sa.text(where) if where else None
        op.create_index(f"ix_outgoing_deliveries_{name}", "outgoing_deliveries", columns, postgresql_where=some)


def _make_attempts() -> None:
    op.create_table(
        "outgoing_attempts",
        _id("delivery_id", primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        _id("webhook_id", nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        _moment("begun_at", server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("milliseconds", sa.Float),
        sa.Column("outcome", sa.Text),
        sa.Column("status_code", sa.Integer),
        *(sa.Column(name, sa.Text) for name in ("code", "error")),
        *(sa.Column(name, pg.JSONB) for name in ("request_headers", "response_headers")),
        sa.Column("response_body", sa.Text),
        sa.Column("is_truncated", sa.Boolean),
        sa.ForeignKeyConstraint(["delivery_id"], ["outgoing_deliveries.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_outgoing_attempts_webhook_id_begun_at", "outgoing_attempts", ["webhook_id", "begun_at"])
    op.create_table(
        "outgoing_subjects",
        _id("webhook_id", primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("last_sequence", sa.BigInteger, nullable=False),
        _of_endpoint(),
    )


_WRITTEN = ("created_at", "updated_at")


def _of_endpoint() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["webhook_id"], ["webhook_endpoints.id"], ondelete="CASCADE")


def _id(name: str, **options: object) -> sa.Column[object]:
    return sa.Column(name, pg.UUID(as_uuid=True), **options)  # type: ignore[arg-type]


def _moment(name: str, **options: object) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), **options)  # type: ignore[arg-type]
