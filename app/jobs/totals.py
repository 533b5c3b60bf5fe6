"""Totals of what happened to jobs, exact whoever is killed: workers count nothing, the relay folds the history.

A change is folded once every transaction that began before its own has ended: until then one of them might still write
a change that the fold would have passed by. A transaction that is held open therefore holds the totals back, no more.
"""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.jobs.models import FINAL, Job, JobTotal, JobTotalsMark
from app.kernel.clock import database_now

# Upper bounds of the histograms' buckets, in seconds.
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0)
MOST_TRANSACTIONS = 50_000

# Alike changes are counted first: then the facts of each are drawn from a handful of rows.
_FOLD = text(
    """
    WITH change AS (
        SELECT queue, kind, from_status, to_status, code, count(*) AS many, sum(seconds) AS seconds,
               coalesce((CAST(:bounds AS float8[]))[width_bucket(seconds, :bounds) + 1]::text, '+Inf') AS bound
        FROM job_changes
        WHERE transaction_id >= :done AND transaction_id < :ended AND at >= :since
        GROUP BY queue, kind, from_status, to_status, code, bound
    )
    INSERT INTO job_totals (name, queue, kind, label, total)
    SELECT fact.name, change.queue, change.kind, fact.label, sum(fact.amount)
    FROM change
    CROSS JOIN LATERAL (VALUES
        ('accepted', '', many, from_status IS NULL),
        ('started', '', many, to_status = 'running'),
        ('finished', to_status, many, to_status = ANY(:final)),
        ('failed', coalesce(code, 'UNKNOWN'), many, to_status = 'failed'),
        ('requeued', '', many, from_status = 'running' AND to_status = 'queued'),
        ('retried', '', many, from_status = ANY(:final) AND to_status = 'queued'),
        ('waited', bound, many, from_status = 'queued' AND to_status = 'running'),
        ('waited_seconds', '', seconds, from_status = 'queued' AND to_status = 'running'),
        ('ran', bound, many, from_status = 'running'),
        ('ran_seconds', '', seconds, from_status = 'running')
    ) AS fact (name, label, amount, holds)
    WHERE fact.holds
    GROUP BY fact.name, change.queue, change.kind, fact.label
    ORDER BY fact.name, change.queue, change.kind, fact.label
    ON CONFLICT (name, queue, kind, label) DO UPDATE SET total = job_totals.total + excluded.total
    """
)
_HORIZON = text(
    "SELECT CAST(CAST(pg_snapshot_xmin(seen) AS text) AS bigint), CAST(CAST(pg_snapshot_xmax(seen) AS text) AS bigint) "
    "FROM pg_current_snapshot() AS seen"
)


def fold_changes(session: Session) -> bool:
    """Add to the totals what has changed since they were last folded, and tell whether there may be more.

    It does nothing while another relay does so. What many transactions have left is folded in parts, each of which is
    done long before a statement must be.
    """
    mark = session.execute(select(JobTotalsMark).with_for_update(skip_locked=True)).scalar_one_or_none()
    if mark is None:
        return False
    horizon, next_one = session.execute(_HORIZON).one()
    if mark.transaction_id > next_one:
        # Transactions count from less than before: the rows were brought here from another server's backup.
        mark.transaction_id, mark.since = 0, mark.folded_at
    ended = min(horizon, mark.transaction_id + MOST_TRANSACTIONS)
    given = {"done": mark.transaction_id, "ended": ended, "since": mark.since, "final": list(FINAL)}
    session.execute(_FOLD, given | {"bounds": list(BOUNDS)})
    mark.transaction_id = ended
    mark.folded_at = session.execute(select(database_now())).scalar_one()
    return ended < horizon


def count(session: Session, name: str, job: Job) -> None:
    """Add one to a total of a job's queue and kind; last in a transaction, for all who count the same wait for it."""
    count_many(session, name, job.queue, job.kind, 1)


def count_many(session: Session, name: str, queue: str, kind: str, amount: int) -> None:
    """Add to a total."""
    adding = insert(JobTotal).values(name=name, queue=queue, kind=kind, label="", total=amount)
    session.execute(
        adding.on_conflict_do_update(
            index_elements=["name", "queue", "kind", "label"], set_={"total": JobTotal.total + adding.excluded.total}
        )
    )
