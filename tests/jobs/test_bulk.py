"""Many jobs at once: previewed, retried and cancelled by a job, once each, within the rights of whoever asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from app import jobs
from app.jobs import Job, JobBulk
from app.jobs import bulk as bulk_room
from app.kernel.db import Database
from app.kernel.errors import Permanent
from app.kernel.ids import new_id
from tasks.jobs import bulk as bulk_deed
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.work import Errand, doing, drain, make_runtime

API = "/api/v1/jobs"
FAST: dict[str, Any] = {"rate": 1000}


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    return make_person(app, database, "alice")


@pytest.fixture
def bob(app: Flask, database: Database) -> Person:
    return make_person(app, database, "bob")


def accept(database: Database, owner: Person, many: int = 1, **options: Any) -> list[UUID]:
    def one() -> UUID:
        with database.transaction() as session:
            return jobs.accept(session, Errand(new_id()), organization_id=owner.organization_id, **options)

    return [one() for _ in range(many)]


def fail_all(database: Database) -> int:
    """Run what is due, and let it fail."""

    def deed(*_: Any) -> None:
        raise Permanent("It cannot be done.")

    with doing(deed):
        return drain(database)


def statuses(database: Database, job_ids: list[UUID]) -> list[str]:
    with database.transaction() as session:
        found = dict(session.execute(select(Job.id, Job.status).where(Job.id.in_(job_ids))).tuples().all())
    return [found[job_id] for job_id in job_ids]


class Bulk:
    """Somebody who moves many jobs."""

    def __init__(self, client: FlaskClient, database: Database, person: Person) -> None:
        self.client, self.database, self.person = client, database, person

    def ask(self, action: str, **body: Any) -> Any:
        return self.client.post(f"{API}/bulk", json={"action": action, **body}, headers=self.person.headers)

    def accept(self, action: str, **body: Any) -> UUID:
        return UUID(data_of(self.ask(action, **FAST | body), 202)["id"])

    def run(self, job_id: UUID) -> dict[str, Any]:
        make_runtime(self.database).run_job(job_id)
        return self.look(job_id)

    def look(self, job_id: UUID) -> dict[str, Any]:
        job: dict[str, Any] = data_of(self.client.get(f"{API}/{job_id}", headers=self.person.headers))
        return job

    def result(self, action: str, **body: Any) -> Any:
        job = self.run(self.accept(action, **body))
        assert job["status"] == "succeeded", job
        return job["result"]


@pytest.fixture
def hers(client: FlaskClient, database: Database, alice: Person) -> Bulk:
    return Bulk(client, database, alice)


def test_failed_jobs_are_retried_by_one_job_with_progress(hers: Bulk, database: Database, alice: Person) -> None:
    failed = accept(database, alice, 5)
    fail_all(database)
    queued = accept(database, alice)
    reply = hers.ask("retry", filter={"error_code": "PERMANENT_FAILURE"}, **FAST)
    accepted = data_of(reply, 202)
    assert (accepted["kind"], accepted["status"], accepted["job_id"]) == ("jobs.bulk", "queued", accepted["id"])
    assert reply.headers["Location"] == f"{API}/{accepted['id']}"
    job = hers.run(UUID(accepted["id"]))
    assert (job["status"], job["result"]) == ("succeeded", {"matched": 5, "done": 5, "skipped": {}})
    assert (job["progress"]["percent"], job["progress"]["total"]) == (100.0, 5)
    assert statuses(database, failed + queued) == ["queued"] * 6


def test_queued_and_running_jobs_are_cancelled(hers: Bulk, database: Database, alice: Person) -> None:
    queued = accept(database, alice, 3)
    running = accept(database, alice)[0]
    with database.transaction() as session:
        assert jobs.claim(session, running, "tests:2", 60)
    assert hers.result("cancel", filter={"kind": "tests.errand"}) == {"matched": 4, "done": 4, "skipped": {}}
    assert statuses(database, queued) == ["cancelled"] * 3
    assert hers.look(running)["cancel_requested_at"] is not None
    assert hers.result("cancel", filter={"kind": "tests.errand"}) == {
        "matched": 1,
        "done": 0,
        "skipped": {"ALREADY_CANCELLING": 1},
    }


def test_a_dry_run_tells_and_moves_nothing(hers: Bulk, database: Database, alice: Person) -> None:
    queued = accept(database, alice, 12)
    found = data_of(hers.ask("cancel", filter={"status": "queued"}, dry_run=True), 200)
    assert (found["count"], found["count_capped"]) == (12, False)
    assert found["job_ids"] == [str(job_id) for job_id in queued[:10]]
    assert set(statuses(database, queued)) == {"queued"}
    assert data_of(hers.ask("retry", filter={"queue": "default"}, dry_run=True), 200)["count"] == 0


def test_a_count_says_that_it_stopped_counting(
    hers: Bulk, database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_room, "COUNT_CAP", 2)
    accept(database, alice, 3)
    found = data_of(hers.ask("cancel", all=True, dry_run=True), 200)
    assert (found["count"], found["count_capped"]) == (2, True)


def test_filters_are_those_of_the_list(hers: Bulk, database: Database, alice: Person) -> None:
    resource_id = new_id()
    first, second = accept(database, alice, resource=("errand", resource_id)), accept(database, alice)
    moment = hers.look(second[0])["created_at"]
    fail_all(database)
    fingerprint = hers.look(first[0])["error"]["fingerprint"]
    counts = {
        "kind": ("tests.errand", 2),
        "status": ("cancelled", 0),
        "queue": ("default", 2),
        "resource_type": ("errand", 1),
        "resource_id": (str(resource_id), 1),
        "organization_id": (str(alice.organization_id), 2),
        "created_before": (moment, 1),
        "created_after": (moment, 1),
        "error_code": ("PERMANENT_FAILURE", 2),
        "fingerprint": (fingerprint, 2),
    }
    for name, (value, count) in counts.items():
        found = data_of(hers.ask("retry", filter={name: value}, dry_run=True), 200)
        assert (name, found["count"]) == (name, count)
    assert (
        hers.result("retry", filter={name: value for name, (value, count) in counts.items() if count == 2})["done"] == 2
    )
    fail_all(database)
    assert hers.result("retry", filter={"created_before": moment, "resource_id": str(resource_id)})["done"] == 1


def test_a_filter_that_matches_nothing_is_done_at_once(hers: Bulk) -> None:
    for action in ("retry", "cancel"):
        assert hers.result(action, filter={"kind": "nothing"}) == {"matched": 0, "done": 0, "skipped": {}}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "filter"),
        ({"filter": {}}, "filter"),
        ({"filter": {}, "all": False}, "filter"),
        ({"filter": {"colour": "red"}}, "filter.colour"),
        ({"filter": {"status": "odd"}}, "filter.status"),
        ({"filter": {"resource_id": "7"}}, "filter.resource_id"),
        ({"filter": {"created_after": "yesterday"}}, "filter.created_after"),
        ({"all": True, "rate": 0}, "rate"),
        ({"all": True, "rate": 1001}, "rate"),
        ({"all": True, "rate": 2.5}, "rate"),
        ({"all": True, "action": "delete"}, "action"),
        ({"all": "yes"}, "all"),
    ],
)
def test_what_makes_no_sense_is_refused(hers: Bulk, body: dict[str, Any], field: str) -> None:
    error = error_of(hers.ask(**{"action": "retry"} | body), 422)
    assert [fault["field"] for fault in error["errors"]] == [field]


def test_only_jobs_the_caller_may_move_are_moved(
    hers: Bulk, client: FlaskClient, database: Database, alice: Person, bob: Person
) -> None:
    theirs, mine = accept(database, alice, 2), accept(database, bob)
    his = Bulk(client, database, bob)
    assert (
        data_of(his.ask("cancel", filter={"organization_id": str(alice.organization_id)}, dry_run=True))["count"] == 0
    )
    join(database, bob, alice.organization_id, "viewer")
    assert data_of(his.ask("cancel", all=True, dry_run=True), 200)["job_ids"] == [str(mine[0])]
    assert his.result("cancel", all=True)["done"] == 1
    assert statuses(database, theirs + mine) == ["queued", "queued", "cancelled"]


def test_rights_are_those_at_the_acceptance(
    client: FlaskClient, database: Database, alice: Person, bob: Person
) -> None:
    early = accept(database, alice, 2)
    his = Bulk(client, database, bob)
    before = his.accept("cancel", all=True)
    join(database, bob, alice.organization_id, "member")
    assert his.run(before)["result"]["matched"] == 0
    assert his.result("cancel", all=True)["done"] == 2
    assert set(statuses(database, early)) == {"cancelled"}


def test_what_fails_again_or_comes_later_is_not_taken(hers: Bulk, database: Database, alice: Person) -> None:
    first, second = accept(database, alice, 2)
    fail_all(database)
    bulk = hers.accept("retry", filter={"kind": "tests.errand"})
    later = accept(database, alice)
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
    whole = accept(database, alice)[0]
    part = accept(database, alice, parent_id=whole)[0]
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
    queued = accept(database, alice, 4)

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
    queued = accept(database, alice, 5)

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
    failed = accept(database, alice, 5)
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
    queued = accept(database, alice, 3)

    def lose_the_lease(run: Any, job_id: UUID) -> None:
        if job_id == queued[1]:
            with database.transaction() as session:
                session.execute(update(Job).where(Job.id == run.claim.job_id).values(attempt=Job.attempt + 1))

    before_move(lose_the_lease)
    bulk = hers.accept("cancel", filter={"kind": "tests.errand"})
    make_runtime(database).run_job(bulk)
    assert statuses(database, queued) == ["cancelled", "queued", "queued"]


def test_a_bulk_job_never_takes_itself(hers: Bulk) -> None:
    other = hers.accept("cancel", filter={"kind": "nothing"})
    mine = hers.accept("cancel", all=True)
    assert hers.run(mine)["result"] == {"matched": 1, "done": 1, "skipped": {}}
    assert hers.look(other)["status"] == "cancelled"


def test_no_more_than_the_rate_are_moved_a_second(hers: Bulk, database: Database, alice: Person) -> None:
    accept(database, alice, 6)
    bulk = hers.accept("cancel", filter={"kind": "tests.errand"}, rate=10)
    began = time.monotonic()
    assert hers.run(bulk)["result"]["done"] == 6
    assert time.monotonic() - began > 0.45


def test_a_bulk_job_may_be_tried_again_after_its_end(hers: Bulk, database: Database, alice: Person) -> None:
    queued = accept(database, alice, 2)
    bulk = hers.accept("cancel", filter={"kind": "tests.errand"})
    with database.transaction() as session:
        jobs.cancel(session, session.get_one(Job, bulk))
        jobs.retry(session, session.get_one(Job, bulk), 3)
    assert hers.run(bulk)["result"]["done"] == 2
    assert set(statuses(database, queued)) == {"cancelled"}


def test_the_same_key_accepts_one_bulk_job(hers: Bulk, database: Database, alice: Person) -> None:
    body = {"action": "cancel", "all": True}
    headers = alice.headers | {"Idempotency-Key": "once"}
    replies = [hers.client.post(f"{API}/bulk", json=body, headers=headers) for _ in range(2)]
    assert len({data_of(reply, 202)["id"] for reply in replies}) == 1
