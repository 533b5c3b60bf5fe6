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

# Upper bounds of the histograms, in seconds.
WAIT_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
RUN_BOUNDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0)

_FOLD = text(
    """
    INSERT INTO job_totals (name, queue, kind, label, total)
    SELECT fact.name, change.queue, change.kind, fact.label, sum(fact.amount)
    FROM job_changes AS change
    CROSS JOIN LATERAL (VALUES
        ('accepted', '', 1, change.from_status IS NULL),
        ('started', '', 1, change.to_status = 'running'),
        ('finished', change.to_status, 1, change.to_status = ANY(:final)),
        ('failed', coalesce(change.code, 'UNKNOWN'), 1, change.to_status = 'failed'),
        ('requeued', '', 1, change.from_status = 'running' AND change.to_status = 'queued'),
        ('retried', '', 1, change.from_status = ANY(:final) AND change.to_status = 'queued'),
        ('waited', coalesce((CAST(:wait_bounds AS float8[]))[width_bucket(change.seconds, :wait_bounds) + 1]::text,
                            '+Inf'), 1, change.from_status = 'queued' AND change.to_status = 'running'),
        ('waited_seconds', '', change.seconds, change.from_status = 'queued' AND change.to_status = 'running'),
        ('ran', coalesce((CAST(:run_bounds AS float8[]))[width_bucket(change.seconds, :run_bounds) + 1]::text,
                         '+Inf'), 1, change.from_status = 'running'),
        ('ran_seconds', '', change.seconds, change.from_status = 'running')
    ) AS fact (name, label, amount, holds)
    WHERE change.transaction_id >= :done AND change.transaction_id < :ended AND change.at >= :since AND fact.holds
    GROUP BY fact.name, change.queue, change.kind, fact.label
    ORDER BY fact.name, change.queue, change.kind, fact.label
    ON CONFLICT (name, queue, kind, label) DO UPDATE SET total = job_totals.total + excluded.total
    """
)
_HORIZON = text(
    "SELECT CAST(CAST(pg_snapshot_xmin(seen) AS text) AS bigint), CAST(CAST(pg_snapshot_xmax(seen) AS text) AS bigint) "
    "FROM pg_current_snapshot() AS seen"
)


def fold_changes(session: Session) -> None:
    """Add to the totals what has changed since they were last folded; does nothing while another relay does so."""
    mark = session.execute(select(JobTotalsMark).with_for_update(skip_locked=True)).scalar_one_or_none()
    if mark is None:
        return
    ended, next_one = session.execute(_HORIZON).one()
    if mark.transaction_id > next_one:
        # Transactions count from less than before: the rows were brought here from another server's backup.
        mark.transaction_id, mark.since = 0, mark.folded_at
    given = {"done": mark.transaction_id, "ended": ended, "since": mark.since, "final": list(FINAL)}
    session.execute(_FOLD, given | {"wait_bounds": list(WAIT_BOUNDS), "run_bounds": list(RUN_BOUNDS)})
    mark.transaction_id = ended
    mark.folded_at = session.execute(select(database_now())).scalar_one()


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
