"""The heart: it keeps the lease, and learns what should stop the work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import update

from app import jobs
from app.jobs import Job, Run
from app.kernel.db import Database
from app.kernel.engine import make_engine
from app.kernel.ids import new_id
from app.kernel.intents import LostLease
from launcher.ports import free_port
from tests.support.platform import wait_for
from tests.support.work import Errand, doing, make_runtime
from workers.heart import Heart, StopFlag

LEASE = 0.6
POLL = 0.05


def accept(database: Database) -> UUID:
    with database.transaction() as session:
        return jobs.accept(session, Errand(new_id()))


def claimed_run(database: Database, job_id: UUID, lease: float = LEASE) -> Run:
    with database.transaction() as session:
        claim = jobs.claim(session, job_id, "tests:1", lease)
    assert claim is not None
    return Run(database, claim)


@contextmanager
def beating(
    database: Database, run: Run, policy: LostLease = "kill", stopping: StopFlag | None = None
) -> Iterator[None]:
    heart = Heart(database, run, lease=LEASE, poll=POLL, policy=policy, stopping=stopping or StopFlag(LEASE))
    with heart:
        yield


def reap(database: Database) -> list[UUID]:
    with database.transaction() as session:
        return list(session.scalars(jobs.expired()))


def change(database: Database, job_id: UUID, **values: object) -> None:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))


def test_the_lease_is_kept_for_as_long_as_the_work_takes(committing: Database) -> None:
    run = claimed_run(committing, accept(committing))
    with beating(committing, run):
        until = time.monotonic() + 3 * LEASE
        while time.monotonic() < until:
            assert reap(committing) == []
            time.sleep(POLL)
    assert not run.should_stop()
    wait_for(lambda: reap(committing) == [run.claim.job_id], 3)


def test_a_cancel_is_seen_between_two_beats(committing: Database) -> None:
    job_id = accept(committing)
    seen: list[float] = []

    def wait_to_be_cancelled(run: Run, *_: object) -> None:
        with committing.transaction() as session:
            jobs.cancel(session, session.get_one(Job, job_id))
        asked = time.monotonic()
        assert run.cancel_requested.wait(5)
        seen.append(time.monotonic() - asked)
        run.check()

    with doing(wait_to_be_cancelled):  # type: ignore[arg-type]
        assert make_runtime(committing, lease=30, poll=POLL).run_job(job_id)
    assert seen[0] < 1
    with committing.transaction() as session:
        assert session.get_one(Job, job_id).status == jobs.CANCELLED


@pytest.mark.parametrize("lost", [{"attempt": Job.attempt + 1}, {"status": "queued", "lease_until": None}])
def test_work_whose_job_was_taken_away_is_told(committing: Database, lost: dict[str, object]) -> None:
    run = claimed_run(committing, accept(committing))
    with beating(committing, run):
        change(committing, run.claim.job_id, **lost)
        assert run.lease_lost.wait(5)
    with pytest.raises(jobs.LeaseLost):
        run.check()


def test_work_that_has_ended_its_job_itself_is_not_told_that_it_lost_it(committing: Database) -> None:
    run = claimed_run(committing, accept(committing))
    with beating(committing, run):
        with run.recording() as (session, job):
            run.finish(session, job)
        time.sleep(4 * POLL)
    assert not run.lease_lost.is_set()


def away() -> Database:
    """A database that nobody serves."""
    return Database(make_engine(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"))


def test_work_that_must_not_go_on_unproved_stops_before_its_lease_is_over(committing: Database) -> None:
    run = claimed_run(committing, accept(committing))
    began = time.monotonic()
    with beating(away(), run, "kill"):
        assert run.lease_lost.wait(5)
    assert LEASE * 0.7 < time.monotonic() - began < LEASE + 1


def test_work_that_may_hold_goes_on_and_learns_the_truth_when_the_database_is_back(committing: Database) -> None:
    kept, taken = (claimed_run(committing, accept(committing)) for _ in range(2))
    for run, is_taken in ((kept, False), (taken, True)):
        database = away()
        with beating(database, run, "hold"):
            time.sleep(2 * LEASE)
            assert not run.should_stop()
            if is_taken:
                change(committing, run.claim.job_id, attempt=Job.attempt + 1)
            database.bind = committing.bind
            if is_taken:
                assert run.lease_lost.wait(5)
            else:
                wait_for(lambda run=run: run.claim.job_id not in reap(committing), 5)  # type: ignore[misc]
    assert not kept.should_stop()


def test_a_stopping_worker_gives_its_work_time_and_then_takes_it_back(committing: Database) -> None:
    run, stopping = claimed_run(committing, accept(committing)), StopFlag(0.5)
    with beating(committing, run, stopping=stopping):
        time.sleep(4 * POLL)
        assert not run.shutting_down.is_set()
        stopping.set()
        told = time.monotonic()
        assert run.shutting_down.wait(5)
        assert time.monotonic() - told >= 0.5
    with pytest.raises(jobs.HandedBack):
        run.check()


def test_the_heart_ends_with_the_work(committing: Database) -> None:
    run = claimed_run(committing, accept(committing))
    with beating(committing, run):
        assert any(thread.name == f"heart-{run.claim.job_id}" for thread in threading.enumerate())
    assert not any(thread.name == f"heart-{run.claim.job_id}" for thread in threading.enumerate())
