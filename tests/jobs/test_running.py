"""A job from acceptance to its one end."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app import jobs
from app.jobs import Job, Run
from app.jobs.failures import identify
from app.kernel.clock import database_now, sql_days
from app.kernel.db import Database
from app.kernel.errors import Permanent, Transient
from app.kernel.ids import new_id
from app.kernel.stream import StreamEvent, events_after
from tests.support.work import Errand, doing, drain, make_runtime


def accept(database: Database, **options: Any) -> UUID:
    with database.transaction() as session:
        return jobs.accept(session, Errand(new_id()), **options)


def read(database: Database, job_id: UUID) -> Job:
    with database.transaction() as session:
        return session.get_one(Job, job_id, populate_existing=True)


def events_of(database: Database, job_id: UUID) -> list[str]:
    with database.transaction() as session:
        return [event.type for event in session.execute(events_after(jobs.topic_of(job_id), 0)).scalars()]


def make_due(database: Database, job_id: UUID) -> None:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(scheduled_for=database_now()))


def test_an_accepted_job_is_run_and_keeps_its_result(database: Database) -> None:
    job_id = accept(database)
    with doing(lambda run, intent, tools: {"did": str(intent.subject_id)}):
        assert drain(database) == 1
    job = read(database, job_id)
    assert (job.status, job.attempt, job.percent) == (jobs.SUCCEEDED, 1, 100.0)
    assert job.result == {"did": job.payload["subject_id"]}
    assert events_of(database, job_id) == ["job.queued", "job.running", "job.succeeded"]


def test_a_job_is_claimed_by_one_message_of_two(database: Database) -> None:
    job_id = accept(database)
    runtime = make_runtime(database)
    with doing(lambda *_: None):
        assert runtime.run_job(job_id)
        assert not runtime.run_job(job_id)
    assert read(database, job_id).attempt == 1


def test_a_key_makes_two_acceptances_one_job(database: Database) -> None:
    assert accept(database, key="tick-1") == accept(database, key="tick-1")
    assert accept(database, key="tick-2") != accept(database, key="tick-1")


def test_what_is_accepted_in_a_transaction_that_fails_is_never_sent(database: Database, hints: Any) -> None:
    def accept_and_fail() -> None:
        with database.transaction() as session:
            jobs.accept(session, Errand(new_id()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        accept_and_fail()
    assert hints.sent == []
    job_id = accept(database)
    assert [hint.job_id for hint in hints.sent] == [job_id]


def test_a_delayed_job_waits_for_its_time(database: Database) -> None:
    job_id = accept(database, delay=60)
    assert not make_runtime(database).run_job(job_id)
    assert read(database, job_id).sent_at is None


def test_a_transient_failure_is_tried_again_and_a_permanent_one_is_not(database: Database) -> None:
    def fail(error: Exception) -> Any:
        def deed(*_: Any) -> None:
            raise error

        return deed

    transient, permanent = accept(database), accept(database)
    runtime = make_runtime(database)
    with doing(fail(Transient("The other side is busy.", retry_after=5))):
        runtime.run_job(transient)
    with doing(fail(Permanent("The other side said no."))):
        runtime.run_job(permanent)
    waiting, failed = read(database, transient), read(database, permanent)
    assert (waiting.status, waiting.message) == (jobs.QUEUED, "The other side is busy.")
    assert 4 < (waiting.scheduled_for - waiting.created_at).total_seconds() < 8
    assert (failed.status, failed.error) == (
        jobs.FAILED,
        identify(Errand.kind, {"code": "PERMANENT_FAILURE", "message": "The other side said no.", "details": {}}),
    )


def test_a_bug_is_tried_a_bounded_number_of_times_and_its_text_is_not_shown(database: Database) -> None:
    def explode(*_: Any) -> None:
        raise ZeroDivisionError("secret internals")

    job_id = accept(database)
    with doing(explode):
        for _ in range(3):
            make_due(database, job_id)
            assert make_runtime(database).run_job(job_id)
        assert not make_runtime(database).run_job(job_id)
    job = read(database, job_id)
    assert (job.status, job.attempt) == (jobs.FAILED, 3)
    assert job.error is not None
    assert job.error["code"] == "INTERNAL_ERROR"
    assert "secret" not in str(job.error)


def test_progress_never_falls_within_an_attempt(database: Database) -> None:
    def work(run: Run, *_: Any) -> None:
        run.progress(40, phase="first")
        run.progress(10, phase="second")

    job_id = accept(database)
    with doing(work):
        drain(database)
    with database.transaction() as session:
        shown = [
            event.data["progress"]["percent"]
            for event in session.execute(events_after(jobs.topic_of(job_id), 0)).scalars()
            if event.type == "job.progress"
        ]
    assert shown == [40.0, 40.0]


def test_an_attempt_that_lost_its_job_writes_nothing(database: Database) -> None:
    job_id = accept(database)

    def be_overtaken(run: Run, *_: Any) -> dict[str, Any]:
        with database.transaction() as session:
            session.execute(update(Job).where(Job.id == job_id).values(attempt=Job.attempt + 1))
        return {"written": "too late"}

    with doing(be_overtaken):
        drain(database)
    job = read(database, job_id)
    assert (job.status, job.result, job.attempt) == (jobs.RUNNING, None, 2)


def test_a_cancelled_queued_job_ends_at_once(database: Database) -> None:
    job_id = accept(database)
    with database.transaction() as session:
        jobs.cancel(session, session.get_one(Job, job_id))
    assert read(database, job_id).status == jobs.CANCELLED
    assert not make_runtime(database).run_job(job_id)


def test_a_cancelled_running_job_ends_when_its_work_stops(database: Database) -> None:
    job_id = accept(database)

    def be_cancelled(run: Run, *_: Any) -> None:
        with database.transaction() as session:
            jobs.cancel(session, session.get_one(Job, job_id))
        run.cancel_requested.set()
        run.check()

    with doing(be_cancelled):
        drain(database)
    assert read(database, job_id).status == jobs.CANCELLED
    assert events_of(database, job_id)[-2:] == ["job.cancelling", "job.cancelled"]


def test_an_ended_job_cannot_be_cancelled_and_only_a_failed_one_retried(database: Database) -> None:
    job_id = accept(database)
    with doing(lambda *_: None):
        drain(database)
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        with pytest.raises(jobs.JobEnded):
            jobs.cancel(session, job)
        with pytest.raises(jobs.JobNotRetryable):
            jobs.retry(session, job, 3)


def test_a_retried_job_runs_again_with_a_higher_attempt(database: Database) -> None:
    job_id = accept(database)
    with database.transaction() as session:
        jobs.cancel(session, session.get_one(Job, job_id))
    with database.transaction() as session:
        jobs.retry(session, session.get_one(Job, job_id), 3)
    with doing(lambda *_: None):
        drain(database)
    job = read(database, job_id)
    assert (job.status, job.attempt, job.max_attempts) == (jobs.SUCCEEDED, 1, 3)
    assert job.cancel_requested_at is None


def test_a_job_handed_back_by_a_stopping_worker_has_not_used_up_an_attempt(database: Database) -> None:
    job_id = accept(database)

    def be_stopped(run: Run, *_: Any) -> None:
        run.shutting_down.set()
        run.check()

    with doing(be_stopped):
        make_runtime(database).run_job(job_id)
    job = read(database, job_id)
    assert (job.status, job.attempt, job.max_attempts) == (jobs.QUEUED, 1, 4)


def test_the_history_of_old_jobs_is_deleted_with_their_streams(database: Database) -> None:
    old, recent = accept(database), accept(database)
    with doing(lambda *_: None):
        drain(database)
    with database.transaction() as session:
        forty_days = select(database_now() - sql_days(40)).scalar_subquery()
        session.execute(update(Job).where(Job.id == old).values(finished_at=forty_days))
    with database.transaction() as session:
        assert jobs.prune(session, days=30) == 1
    assert events_of(database, old) == []
    assert read(database, recent).status == jobs.SUCCEEDED


def test_the_periodic_job_forgets_what_is_old_and_keeps_what_is_not(database: Database) -> None:
    job_id = accept(database)
    with doing(lambda *_: None):
        drain(database)
    with database.transaction() as session:
        thirty_one_days = database_now() - sql_days(31)
        session.execute(update(StreamEvent).where(StreamEvent.seq < 3).values(created_at=thirty_one_days))
        jobs.accept(session, jobs.PruneHistory())
    assert drain(database, SimpleNamespace(history_days=30, change_days=90, audit_days=365, archive=None)) == 1
    assert events_of(database, job_id) == ["job.succeeded"]


def test_a_hint_the_broker_did_not_take_is_sent_by_the_relay(database: Database) -> None:
    class Unreachable:
        def send(self, hints: Sequence[jobs.Hint], /) -> Sequence[UUID]:
            return [hint.job_id for hint in hints]

    job_id = accept(database)
    hint = jobs.Hint(job_id, Errand.kind, Errand.queue, 5, 1)
    with database.transaction() as session:
        assert jobs.take_unsent(session, stale_seconds=60) == []
    jobs.send_or_mark(database, Unreachable(), [hint])
    with database.transaction() as session:
        assert jobs.take_unsent(session, stale_seconds=60) == [hint]
        assert jobs.take_unsent(session, stale_seconds=60) == []
