"""Totals of what happened to jobs: each change is counted once, in whatever order its transactions end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import select, text, update

from app import jobs
from app.jobs import Job, Run
from app.jobs import totals as totals_room
from app.jobs.metrics import read_metrics
from app.jobs.models import JobTotal
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.kernel.errors import Permanent, Transient
from app.kernel.ids import new_id
from config.settings import Settings
from launcher.embedded import EmbeddedPostgres
from tests.support.committing import committing_database
from tests.support.servers import migrate
from tests.support.work import Errand, doing, make_runtime

OURS = 'kind="tests.errand",queue="default"'


@pytest.fixture(scope="module")
def alone(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A server of these tests' own: another test's open transaction would hold the totals back."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("totals")) as server:
        url = server.create_database("totals")
        migrate(url)
        yield replace(settings, database_url=url)


@pytest.fixture
def committing(alone: Settings) -> Iterator[Database]:
    """A database with several connections, whose totals begin at nothing."""
    with committing_database(alone) as database:
        fold(database)
        with database.transaction() as session:
            session.execute(text("DELETE FROM job_totals"))
        yield database


def fold(database: Database) -> int:
    """Fold all there is, as the relay does, and return in how many parts."""
    for parts in range(1, 1000):
        with database.transaction() as session:
            if not jobs.fold_changes(session):
                return parts
    raise AssertionError("it does not come to an end")


def accept(database: Database, **options: Any) -> UUID:
    with database.transaction() as session:
        return jobs.accept(session, Errand(new_id()), **options)


def totals(database: Database) -> dict[tuple[str, str], float]:
    with database.transaction() as session:
        rows = session.execute(select(JobTotal.name, JobTotal.label, JobTotal.total)).all()
    return {(name, label): total for name, label, total in rows}


def scraped(database: Database) -> str:
    """Return what Prometheus would read."""

    class Reading(Collector):
        def collect(self) -> Any:
            with database.transaction() as session:
                return list(read_metrics(session))

    registry = CollectorRegistry()
    registry.register(Reading())
    return generate_latest(registry).decode()


def do(database: Database, job_id: UUID, deed: Any = lambda *_: None) -> None:
    with doing(deed):
        assert make_runtime(database).run_job(job_id)


def fail(run: Run, *_: object) -> None:
    raise Transient(retry_after=0) if run.attempt == 1 else Permanent


def test_every_change_is_counted_once_however_often_they_are_folded(committing: Database) -> None:
    do(committing, accept(committing))
    failing = accept(committing)
    do(committing, failing, fail)
    do(committing, failing, fail)
    for _ in range(3):
        fold(committing)
    found = totals(committing)
    assert found["accepted", ""] == 2
    assert found["started", ""] == 3
    assert found["finished", "succeeded"] == found["finished", "failed"] == 1
    assert found["failed", "PERMANENT_FAILURE"] == found["requeued", ""] == 1
    for histogram in ("waited", "ran"):
        assert sum(total for (name, _), total in found.items() if name == histogram) == 3
        assert found[f"{histogram}_seconds", ""] >= 0


def test_a_change_whose_transaction_ends_late_is_not_passed_by(committing: Database) -> None:
    with committing.transaction() as session:
        jobs.accept(session, Errand(new_id()))
        for _ in range(3):
            accept(committing)
            fold(committing)
        assert ("accepted", "") not in totals(committing)
    fold(committing)
    assert totals(committing)["accepted", ""] == 4


def test_what_was_rolled_back_is_not_counted(committing: Database) -> None:
    with suppress(LookupError), committing.transaction() as session:
        jobs.accept(session, Errand(new_id()))
        raise LookupError
    accept(committing)
    fold(committing)
    assert totals(committing)["accepted", ""] == 1


def test_a_fold_that_is_killed_leaves_all_to_the_next(committing: Database) -> None:
    accept(committing)
    with suppress(LookupError), committing.transaction() as session:
        jobs.fold_changes(session)
        raise LookupError
    assert totals(committing) == {}
    fold(committing)
    assert totals(committing)["accepted", ""] == 1


def test_relays_beside_each_other_count_once_while_jobs_are_accepted(committing: Database) -> None:
    done = threading.Event()

    def keep_folding() -> None:
        while not done.is_set():
            fold(committing)

    relays = [threading.Thread(target=keep_folding) for _ in range(3)]
    callers = [threading.Thread(target=lambda: [accept(committing) for _ in range(40)]) for _ in range(3)]
    for thread in (*relays, *callers):
        thread.start()
    for thread in callers:
        thread.join()
    done.set()
    for thread in relays:
        thread.join()
    fold(committing)
    assert totals(committing)["accepted", ""] == 120


def test_rows_from_another_servers_backup_are_not_counted_again(committing: Database) -> None:
    accept(committing)
    fold(committing)
    with committing.transaction() as session:
        # As there: numbers of transactions which this server will only reach in years.
        session.execute(text("UPDATE job_changes SET transaction_id = transaction_id + 1000000000"))
        session.execute(text("UPDATE job_totals_mark SET transaction_id = transaction_id + 1000000000"))
    accept(committing)
    fold(committing)
    assert totals(committing)["accepted", ""] == 2
    with committing.transaction() as session:
        session.execute(text("UPDATE job_changes SET transaction_id = 5 WHERE transaction_id > 1000000000"))
        session.execute(text("UPDATE job_totals_mark SET transaction_id = 0"))
    fold(committing)
    assert totals(committing)["accepted", ""] == 3, "the row of after the backup alone is within the range again"


def test_what_many_transactions_have_left_is_folded_in_parts(
    committing: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals_room, "MOST_TRANSACTIONS", 4)
    for _ in range(10):
        accept(committing)
    assert fold(committing) > 2
    assert totals(committing)["accepted", ""] == 10


def test_a_wait_counts_from_when_the_job_was_due(committing: Database) -> None:
    job_id = accept(committing, delay=3600)
    with committing.transaction() as session:
        due = database_now() - sql_seconds(2)
        session.execute(update(Job).where(Job.id == job_id).values(scheduled_for=due))
        session.execute(update(Job).where(Job.id == job_id).values(changed_at=due - sql_seconds(3600)))
    do(committing, job_id)
    fold(committing)
    assert totals(committing)["waited", "2.5"] == 1


def test_prometheus_reads_counters_and_whole_histograms(committing: Database) -> None:
    do(committing, accept(committing))
    fold(committing)
    lines = scraped(committing).splitlines()
    assert f"headrace_jobs_accepted_total{{{OURS}}} 1.0" in lines
    assert f'headrace_jobs_finished_total{{{OURS},status="succeeded"}} 1.0' in lines
    buckets = [line for line in lines if line.startswith("headrace_jobs_run_seconds_bucket{")]
    assert len(buckets) == 18
    counts = [float(line.rpartition(" ")[2]) for line in buckets]
    assert counts == sorted(counts)
    assert 'le="+Inf"' in buckets[-1]
    assert counts[-1] == 1.0
    assert f"headrace_jobs_run_seconds_count{{{OURS}}} 1.0" in lines


def test_prometheus_reads_what_has_not_ended(committing: Database) -> None:
    accept(committing, delay=60)
    waiting, held, running, parked = (accept(committing) for _ in range(4))
    with committing.transaction() as session:
        minute = sql_seconds(60)
        session.execute(update(Job).where(Job.id == waiting).values(scheduled_for=database_now() - minute))
        session.execute(update(Job).where(Job.id == held).values(held=True))
        for job_id in (running, parked):
            claim = jobs.claim(session, job_id, "tests:1", 60)
            assert claim
            if job_id == parked:
                jobs.park(session, jobs.hold(session, claim))
    lines = scraped(committing).splitlines()
    for status in ("scheduled", "queued", "held", "running", "parked"):
        assert f'headrace_jobs{{queue="default",status="{status}"}} 1.0' in lines
    (oldest,) = [line for line in lines if line.startswith("headrace_jobs_oldest_seconds{")]
    assert 60 <= float(oldest.rpartition(" ")[2]) < 120
    (age,) = [line for line in lines if line.startswith("headrace_relay_age_seconds ")]
    assert 0 <= float(age.rpartition(" ")[2]) < 60


def test_what_the_relay_does_is_counted_with_it(committing: Database) -> None:
    job_id = accept(committing)
    with committing.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(sent_at=None))
    with committing.transaction() as session:
        assert len(jobs.take_unsent(session, 30)) == 1
        assert jobs.claim(session, job_id, "lost:1", 60)
        gone = database_now() - sql_seconds(60)
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=gone))
        assert jobs.reap(session, job_id)
        assert not jobs.reap(session, job_id)
    assert totals(committing) == {("relayed", ""): 1, ("lost", ""): 1}
