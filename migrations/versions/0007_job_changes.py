"""The history of jobs, written by the database itself; places of organizations in the queues."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0007_job_changes"
down_revision = "0006_secrets"
branch_labels = None
depends_on = None

# A change of status is noted whoever makes it: the API, a worker, the relay, or a person with psql.
FUNCTIONS = (
    """
    CREATE FUNCTION stamp_job_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.changed_at := clock_timestamp();
        RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION note_job_change() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        before jobs%ROWTYPE;
        spent double precision;
        why text := NEW.message;
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            before := OLD;
            spent := extract(epoch FROM NEW.changed_at - CASE
                WHEN OLD.status = 'queued' THEN greatest(OLD.changed_at, OLD.scheduled_for) ELSE OLD.changed_at END);
        END IF;
        IF NEW.status = 'failed' THEN
            why := NEW.error ->> 'message';
        ELSIF NEW.status = 'cancelled' THEN
            why := 'It was cancelled.';
        END IF;
        INSERT INTO job_changes (job_id, at, kind, queue, organization_id, from_status, to_status, attempt, seconds,
                                 actor, worker, code, reason)
        VALUES (NEW.id, NEW.changed_at, NEW.kind, NEW.queue, NEW.organization_id, before.status, NEW.status,
                NEW.attempt, greatest(spent, 0),
                CASE TG_OP WHEN 'INSERT' THEN NEW.created_by
                ELSE nullif(current_setting('headrace.actor', true), '')::uuid END,
                coalesce(NEW.worker, before.worker), NEW.error ->> 'code', left(why, 500));
        RETURN NULL;
    END $$
    """,
)
TRIGGERS = (
    """
    CREATE TRIGGER stamp_change BEFORE UPDATE OF status ON jobs
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION stamp_job_change()
    """,
    "CREATE TRIGGER note_acceptance AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION note_job_change()",
    """
    CREATE TRIGGER note_change AFTER UPDATE OF status ON jobs
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION note_job_change()
    """,
)


def upgrade() -> None:
    """Create the history with its triggers, and the places."""
    _create_changes()
    op.execute("CREATE TABLE job_changes_rest PARTITION OF job_changes DEFAULT")
    op.create_table(
        "job_limits",
        sa.Column("organization_id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("places", sa.Integer, nullable=False),
        sa.CheckConstraint("places >= 0", name="places"),
    )
    op.add_column("jobs", _moment("changed_at"))
    op.add_column("jobs", sa.Column("held", sa.Boolean, server_default=sa.false(), nullable=False))
    _index_jobs()
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False)


def _create_changes() -> None:
    op.create_table(
        "job_changes",
        sa.Column("job_id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("to_status", sa.Text, primary_key=True),
        sa.Column("from_status", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("organization_id", pg.UUID(as_uuid=True)),
        sa.Column("actor", pg.UUID(as_uuid=True)),
        sa.Column("worker", sa.Text),
        sa.Column("code", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column(
            "transaction_id",
            sa.BigInteger,
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_job_changes_transaction_id", "job_changes", ["transaction_id"], postgresql_using="brin")


def _index_jobs() -> None:
    op.create_index(
        "ix_jobs_places",
        "jobs",
        ["organization_id", "queue"],
        postgresql_where=sa.text("status = 'running' OR (status = 'queued' AND NOT held)"),
    )
    op.create_index(
        "ix_jobs_line",
        "jobs",
        ["queue", "priority", "scheduled_for", "id"],
        postgresql_where=sa.text("status = 'queued' AND NOT held"),
    )
    op.create_index(
        "ix_jobs_held",
        "jobs",
        ["organization_id", "queue", "priority", "scheduled_for", "id"],
        postgresql_where=sa.text("status = 'queued' AND held"),
    )


def downgrade() -> None:
    """Drop all of it."""
    for trigger in ("stamp_change", "note_acceptance", "note_change"):
        op.execute(f"DROP TRIGGER {trigger} ON jobs")
    for function in ("stamp_job_change", "note_job_change"):
        op.execute(f"DROP FUNCTION {function}()")
    for index in ("ix_jobs_places", "ix_jobs_line", "ix_jobs_held"):
        op.drop_index(index, "jobs")
    op.drop_column("jobs", "held")
    op.drop_column("jobs", "changed_at")
    op.drop_table("job_limits")
    op.drop_table("job_changes")
