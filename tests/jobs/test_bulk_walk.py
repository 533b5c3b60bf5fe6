"""A bulk job on its way: it takes each job once, whatever happens to the jobs and to itself meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update

from app import jobs
from app.jobs import Job, JobBulk
from app.kernel.db import Database
from app.kernel.outages import CommitUnknown
from tasks import patience
from tasks.jobs import bulk as bulk_deed
from tests.support.bulk import Bulk, accept_errands, fail_all, statuses
from tests.support.identity import Person
from tests.support.work import make_runtime


def test_what_fails_again_or_comes_later_is_not_taken(hers: Bulk, database: Database, alice: Person) -> None:
    first, second = accept_errands(database, alice, 2)
    fail_all(database)
    bulk = hers.accept("retry", filter={"kind": "tests.errand"})
    later = accept_errands(database, alice)
    fail_all_but(database, bulk)
    with database.transaction() as session:
        jobs.retry(session, session.get_one(Job, second), 1)
    fail_all_but(database, bulk)
    assert hers.run(bulk)["result"] == {"matched": 1, "done": 1, "skipped": {}}
    assert statuses(database, [first, second, *later]) == ["queued", "failed", "failed"]


def fail_all_but(database: Database, job_id: UUID) -> None:
    """Let everything that is due fail but for one job."""
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(scheduled_for=text("'infinity'")))
    fail_all(database)
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(scheduled_for=text("clock_timestamp()")))


def test_a_part_of_another_job_is_passed_over(hers: Bulk, database: Database, alice: Person) -> None:
    whole = accept_errands(database, alice)[0]
    part = accept_errands(database, alice, parent_id=whole)[0]
    fail_all(database)
    assert hers.result("retry", filter={"status": "failed"}) == {
        "matched": 2,
        "done": 1,
        "skipped": {"PART_OF_ANOTHER_JOB": 1},
    }
    assert statuses(database, [whole, part]) == ["queued", "failed"]


Turn = Callable[[Any, UUID], None]


@pytest.fixture
def before_move(monkeypatch: pytest.MonkeyPatch) -> Callable[[Turn], None]:
    """Let something happen before each move."""

    def install(happens: Turn) -> None:
        move = bulk_deed._move

        def and_move(run: Any, job_id: UUID) -> None:
            happens(run, job_id)
            move(run, job_id)

        monkeypatch.setattr(bulk_deed, "_move", and_move)

    return install


def test_what_ended_meanwhile_is_counted_as_passed_over(
    hers: Bulk, database: Database, alice: Person, before_move: Callable[[Turn], None]
) -> None:
    queued = accept_errands(database, alice, 4)

    def cancel_the_last(*_: Any) -> None:
        for job_id in queued[-2:]:
            with database.transaction() as session:
                job = session.get_one(Job, job_id)
                if not job.is_final:
                    jobs.cancel(session, job)

    before_move(cancel_the_last)
    expected = {"matched": 4, "done": 2, "skipped": {"STATE_CHANGED": 2}}
    assert hers.result("cancel", filter={"status": "queued", "kind": "tests.errand"}) == expected


def test_a_bulk_job_is_cancelled_in_the_middle_and_tells_how_far_it_was(
    hers: Bulk, database: Database, alice: Person, before_move: Callable[[Turn], None]
) -> None:
    queued = accept_errands(database, alice, 5)

    def cancel_at_the_third(run: Any, job_id: UUID) -> None:
        if job_id == queued[2]:
            run.cancel_requested.set()

    before_move(cancel_at_the_third)
    job = hers.run(hers.accept("cancel", filter={"kind": "tests.errand"}))
    assert (job["status"], job["result"]) == ("cancelled", {"matched": 5, "done": 3, "skipped": {}})
    assert statuses(database, queued) == ["cancelled"] * 3 + ["queued"] * 2


def test_a_bulk_job_that_is_handed_back_goes_on_and_does_nothing_twice(
    hers: Bulk, database: Database, alice: Person, before_move: Callable[[Turn], None]
) -> None:
    failed = accept_errands(database, alice, 5)
    fail_all(database)
    moved: list[UUID] = []

    def stop_at_the_third(run: Any, job_id: UUID) -> None:
        moved.append(job_id)
        if len(moved) == 3:
            run.shutting_down.set()

    before_move(stop_at_the_third)
    bulk = hers.accept("retry", filter={"kind": "tests.errand"})
    assert hers.run(bulk)["status"] == "queued"
    with database.transaction() as session:
        assert session.get_one(JobBulk, bulk).done == 3
    job = hers.run(bulk)
    assert (job["attempt"], job["result"]) == (2, {"matched": 5, "done": 5, "skipped": {}})
    assert moved == failed
    assert set(statuses(database, failed)) == {"queued"}


def test_an_attempt_that_lost_its_lease_moves_nothing_more(
    hers: Bulk, database: Database, alice: Person, before_move: Callable[[Turn], None]
) -> None:
    queued = accept_errands(database, alice, 3)

    def lose_the_lease(run: Any, job_id: UUID) -> None:
        if job_id == queued[1]:
            with database.transaction() as session:
                session.execute(update(Job).where(Job.id == run.claim.job_id).values(attempt=Job.attempt + 1))

    before_move(lose_the_lease)
    bulk = hers.accept("cancel", filter={"kind": "tests.errand"})
    make_runtime(database).run_job(bulk)
    assert statuses(database, queued) == ["cancelled", "queued", "queued"]


def test_no_more_than_the_rate_are_moved_a_second(hers: Bulk, database: Database, alice: Person) -> None:
    accept_errands(database, alice, 6)
    bulk = hers.accept("cancel", filter={"kind": "tests.errand"}, rate=10)
    began = time.monotonic()
    assert hers.run(bulk)["result"]["done"] == 6
    assert time.monotonic() - began > 0.45


def test_a_bulk_job_may_be_tried_again_after_its_end(hers: Bulk, database: Database, alice: Person) -> None:
    queued = accept_errands(database, alice, 2)
    bulk = hers.accept("cancel", filter={"kind": "tests.errand"})
    with database.transaction() as session:
        jobs.cancel(session, session.get_one(Job, bulk))
        jobs.retry(session, session.get_one(Job, bulk), 3)
    assert hers.run(bulk)["result"]["done"] == 2
    assert set(statuses(database, queued)) == {"cancelled"}


def test_a_bulk_job_waits_for_a_database_that_is_away_and_does_nothing_twice(
    hers: Bulk, database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = accept_errands(database, alice, 3)
    fail_all(database)
    move, lost = bulk_deed._move, [failed[1], failed[2]]

    def lose_the_answer(run: Any, job_id: UUID) -> None:
        if lost and job_id == lost[0]:
            lost.pop(0)
            if len(lost) == 1:
                move(run, job_id)
            raise CommitUnknown
        move(run, job_id)

    monkeypatch.setattr(bulk_deed, "_move", lose_the_answer)
    monkeypatch.setattr(patience, "PAUSE", 0.01)
    assert hers.result("retry", filter={"status": "failed"}) == {"matched": 3, "done": 3, "skipped": {}}
    assert set(statuses(database, failed)) == {"queued"}
