"""Series, their samples and roll-ups; scans and anomalies. Weeks of what grows are partitions from the start."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0041_metrics"
down_revision = "0040_job_watch"
branch_labels = None
depends_on = None

OWNERS = {"organization_id": "organizations", "workspace_id": "workspaces", "cluster_id": "clusters"}
PARTITIONED = ("metric_chunks", "metric_rollups", "scan_series")


def upgrade() -> None:
    """Create the tables."""
    _create_series()
    _create_samples()
    _create_scans()
    _create_scan_series()
    _create_anomalies()
    _create_schedules()
    for table in PARTITIONED:
        op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")


def _uuid(name: str, **said: bool) -> sa.Column[object]:
    return sa.Column(name, pg.UUID(as_uuid=True), **{"nullable": False, **said})


def _moment(name: str, **said: bool) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), **{"nullable": False, **said})


def _now(name: str, **said: bool) -> sa.Column[object]:
    now = sa.func.clock_timestamp()
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, **{"nullable": False, **said})


def _places() -> list[sa.SchemaItem]:
    columns = [_uuid(name, nullable=name != "organization_id") for name in OWNERS]
    keys = [sa.ForeignKeyConstraint([name], [f"{table}.id"], ondelete="CASCADE") for name, table in OWNERS.items()]
    return [*columns, *keys]


def _create_series() -> None:
    op.create_table(
        "metric_series",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        *_places(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("labels", pg.JSONB, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("newest", sa.BigInteger),
        sa.Column("points", sa.BigInteger, server_default="0", nullable=False),
        _now("created_at"),
        _now("written_at"),
        sa.UniqueConstraint("organization_id", "fingerprint"),
    )
    op.create_index("ix_metric_series_organization_id_name", "metric_series", ["organization_id", "name", "id"])
    for name in ("cluster_id", "workspace_id", "written_at"):
        op.create_index(f"ix_metric_series_{name}", "metric_series", [name])


def _create_samples() -> None:
    op.create_table(
        "metric_chunks",
        sa.Column("series_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        _now("written_at", primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("folded", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        postgresql_partition_by="RANGE (written_at)",
    )
    where = sa.text("NOT folded")
    op.create_index("ix_metric_chunks_unfolded", "metric_chunks", ["series_id"], postgresql_where=where)
    op.create_table(
        "metric_rollups",
        sa.Column("series_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("resolution", sa.Integer, primary_key=True, autoincrement=False),
        _moment("day", primary_key=True),
        _now("written_at"),
        sa.Column("data", sa.LargeBinary, nullable=False),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index("ix_metric_rollups_written_at", "metric_rollups", ["written_at"], postgresql_using="brin")


def _create_scans() -> None:
    op.create_table(
        "scans",
        _uuid("id", primary_key=True),
        *_places(),
        _uuid("schedule_id", nullable=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("status", sa.Text, server_default="queued", nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("points", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("anomalies", sa.Integer, server_default="0", nullable=False),
        _uuid("created_by", nullable=True),
        _now("created_at"),
        _moment("finished_at", nullable=True),
        sa.CheckConstraint("status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="status"),
        sa.CheckConstraint("source IN ('given', 'stored')", name="source"),
    )
    op.create_index("ix_scans_organization_id_created_at", "scans", ["organization_id", "created_at", "id"])
    op.create_index("ix_scans_created_at", "scans", ["created_at", "id"])


def _create_scan_series() -> None:
    op.create_table(
        "scan_series",
        _uuid("scan_id", primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        _moment("scanned_at", primary_key=True),
        sa.Column("series", sa.Text, nullable=False),
        sa.Column("series_id", sa.BigInteger),
        sa.Column("given", sa.LargeBinary),
        sa.Column("scores", sa.LargeBinary),
        sa.Column("points", sa.Integer),
        sa.Column("anomalies", sa.Integer, server_default="0", nullable=False),
        postgresql_partition_by="RANGE (scanned_at)",
    )
    op.create_index("ix_scan_series_scan_id_series", "scan_series", ["scan_id", "series"])
    op.create_table(
        "series_states",
        sa.Column("series_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("judged_until", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _now("updated_at"),
        sa.ForeignKeyConstraint(["series_id"], ["metric_series.id"], ondelete="CASCADE"),
    )


def _create_anomalies() -> None:
    op.create_table(
        "anomalies",
        _uuid("id", primary_key=True),
        *_places(),
        _uuid("scan_id"),
        sa.Column("series", sa.Text, nullable=False),
        sa.Column("series_id", sa.BigInteger),
        *(_moment(name) for name in ("start", "end", "detected_at")),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("peak", "score", "low", "high")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("severity", "reason")),
        sa.Column("is_open", sa.Boolean, nullable=False),
        _moment("acknowledged_at", nullable=True),
        _uuid("acknowledged_by", nullable=True),
        _now("created_at"),
        sa.CheckConstraint("severity IN ('warning', 'critical')", name="severity"),
    )
    once = {"unique": True}
    is_stored, is_given = sa.text("series_id IS NOT NULL"), sa.text("series_id IS NULL")
    op.create_index("uq_anomalies_stored", "anomalies", ["series_id", "start"], postgresql_where=is_stored, **once)
    op.create_index(
        "uq_anomalies_given", "anomalies", ["scan_id", "series", "start"], postgresql_where=is_given, **once
    )
    op.create_index("ix_anomalies_scan_id", "anomalies", ["scan_id"])
    op.create_index("ix_anomalies_organization_id_start", "anomalies", ["organization_id", "start", "id"])
    op.create_index("ix_anomalies_organization_id_series", "anomalies", ["organization_id", "series", "start"])


def _create_schedules() -> None:
    op.create_table(
        "scan_schedules",
        _uuid("id", primary_key=True),
        *_places(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("series", pg.JSONB, nullable=False),
        sa.Column("interval_seconds", sa.Integer, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        _now("next_run_at"),
        _uuid("last_scan_id", nullable=True),
        _uuid("created_by", nullable=True),
        _now("created_at"),
        _now("updated_at"),
    )
    where = sa.text("enabled")
    op.create_index("ix_scan_schedules_next_run_at", "scan_schedules", ["next_run_at"], postgresql_where=where)
    columns = ["organization_id", "created_at", "id"]
    op.create_index("ix_scan_schedules_organization_id_created_at", "scan_schedules", columns)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("scan_schedules", "anomalies", "series_states", "scan_series", "scans"):
        op.drop_table(table)
    for table in ("metric_rollups", "metric_chunks", "metric_series"):
        op.drop_table(table)
