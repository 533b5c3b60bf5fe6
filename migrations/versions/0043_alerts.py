"""Alert rules, alerts with their stories, groups, silences, and trials of rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0043_alerts"
down_revision = "0042_messaging"
branch_labels = None
depends_on = None

OWNERS = {"organization_id": "organizations", "workspace_id": "workspaces", "cluster_id": "clusters"}
SEVERITY = "severity IN ('critical', 'warning', 'info')"


def upgrade() -> None:
    """Create the tables."""
    _create_rules()
    _create_groups()
    _create_alerts()
    _create_silences()
    op.create_table(
        "alert_trials",
        _uuid("id", primary_key=True),
        *_places(),
        _uuid("rule_id", nullable=True),
        sa.Column("proposed", pg.JSONB, nullable=False),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("start", "end")),
        _uuid("created_by", nullable=True),
        _now("created_at"),
    )
    _list("alert_trials")


def _uuid(name: str, **said: bool) -> sa.Column[object]:
    return sa.Column(name, pg.UUID(as_uuid=True), **{"nullable": False, **said})


def _moment(name: str, **said: bool) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), **{"nullable": False, **said})


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False)


def _texts(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _places() -> list[sa.SchemaItem]:
    columns = [_uuid(name, nullable=name != "organization_id") for name in OWNERS]
    keys = [sa.ForeignKeyConstraint([name], [f"{table}.id"], ondelete="CASCADE") for name, table in OWNERS.items()]
    return [*columns, *keys]


def _list(table: str) -> None:
    columns = ["organization_id", "created_at", "id"]
    op.create_index(f"ix_{table}_organization_id_created_at", table, columns)


def _create_rules() -> None:
    seconds = ("window", "for", "keep", "interval", "group_wait", "group_interval", "repeat")
    op.create_table(
        "alert_rules",
        _uuid("id", primary_key=True),
        *_places(),
        *_texts("name", "kind", "query", "operator", "severity", "title", "description"),
        sa.Column("threshold", sa.Float, nullable=False),
        *(sa.Column(f"{name}_seconds", sa.Integer, nullable=False) for name in seconds),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("percent", "enabled")),
        *(sa.Column(name, pg.JSONB, nullable=False) for name in ("labels", "group_by", "routes")),
        sa.Column("inhibits", pg.JSONB),
        sa.Column("evaluated_at", sa.Float),
        sa.Column("error", sa.Text),
        _now("next_run_at"),
        _uuid("created_by", nullable=True),
        _now("created_at"),
        _now("updated_at"),
        sa.CheckConstraint("kind IN ('threshold', 'absence', 'rate_of_change', 'anomaly')", name="kind"),
        sa.CheckConstraint(SEVERITY, name="severity"),
    )
    _list("alert_rules")
    op.create_index("ix_alert_rules_next_run_at", "alert_rules", ["next_run_at"], postgresql_where=sa.text("enabled"))


def _create_groups() -> None:
    op.create_table(
        "alert_groups",
        _uuid("id", primary_key=True),
        _uuid("organization_id"),
        _uuid("rule_id", nullable=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("labels", pg.JSONB, nullable=False),
        *(_moment(name, nullable=True) for name in ("due_at", "told_at")),
        _now("created_at"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["rule_id"], ["alert_rules.id"], ondelete="SET NULL"),
    )
    op.create_index("uq_alert_groups_key", "alert_groups", ["organization_id", "key"], unique=True)
    where = sa.text("due_at IS NOT NULL")
    op.create_index("ix_alert_groups_due_at", "alert_groups", ["due_at"], postgresql_where=where)


def _create_alerts() -> None:
    moments = ("fired_at", "resolved_at", "told_at", "acknowledged_at")
    op.create_table(
        "alerts",
        _uuid("id", primary_key=True),
        *_places(),
        *(_uuid(name, nullable=True) for name in ("rule_id", "group_id", "acknowledged_by", "resolved_by")),
        *_texts("source", "name", "severity", "status", "title", "description"),
        sa.Column("labels", pg.JSONB, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.Float),
        *(_moment(name) for name in ("pending_at", "violated_at")),
        *(_moment(name, nullable=True) for name in moments),
        sa.Column("settled", sa.Boolean, server_default=sa.false(), nullable=False),
        _now("created_at"),
        sa.ForeignKeyConstraint(["rule_id"], ["alert_rules.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["group_id"], ["alert_groups.id"], ondelete="SET NULL"),
        sa.CheckConstraint("status IN ('pending', 'firing', 'resolved')", name="status"),
        sa.CheckConstraint(SEVERITY, name="severity"),
    )
    _list("alerts")
    where, key = sa.text("status <> 'resolved'"), ["organization_id", "fingerprint"]
    op.create_index("uq_alerts_active", "alerts", key, unique=True, postgresql_where=where)
    for name in ("rule_id", "group_id"):
        op.create_index(f"ix_alerts_{name}_status", "alerts", [name, "status"])
    op.create_table(
        "alert_steps",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _uuid("alert_id"),
        _now("at"),
        *_texts("step"),
        sa.Column("detail", pg.JSONB, nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_alert_steps_alert_id", "alert_steps", ["alert_id", "id"])


def _create_silences() -> None:
    op.create_table(
        "silences",
        _uuid("id", primary_key=True),
        *_places(),
        *_texts("kind", "comment"),
        sa.Column("matchers", pg.JSONB, nullable=False),
        *(_moment(name) for name in ("starts_at", "ends_at")),
        sa.Column("repeats", sa.Text),
        _moment("ended_at", nullable=True),
        _uuid("created_by", nullable=True),
        _now("created_at"),
        _now("updated_at"),
        sa.CheckConstraint("kind IN ('silence', 'maintenance')", name="kind"),
        sa.CheckConstraint("repeats IN ('daily', 'weekly')", name="repeats"),
    )
    _list("silences")


def downgrade() -> None:
    """Drop the tables."""
    for table in ("alert_trials", "silences", "alert_steps", "alerts", "alert_groups", "alert_rules"):
        op.drop_table(table)
