"""Failures: one fingerprint for those that are the same one, found and grouped by it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update

from app import jobs
from app.jobs import Job, function_of
from app.jobs.failures import fingerprint_of, identify, place_of
from app.kernel.clock import format_time
from app.kernel.db import Database
from app.kernel.errors import Permanent
from app.kernel.ids import new_id
from tests.support.identity import Person, data_of, error_of, make_person
from tests.support.work import Errand, doing, make_runtime
from workers.sender import CelerySender

API = "/api/v1/jobs"

ERROR = {"code": "STAGE_FAILED", "message": "Did not succeed: compile failed.", "details": {}}
PLACE = {"stage": "build", "step": "compile"}


def accept(database: Database, owner: Person, **options: Any) -> UUID:
    with database.transaction() as session:
        return jobs.accept(session, Errand(new_id()), organization_id=owner.organization_id, **options)


def fail(database: Database, owner: Person, error: Exception) -> UUID:
    def deed(*_: Any) -> None:
        raise error

    job_id = accept(database, owner)
    with doing(deed):
        make_runtime(database).run_job(job_id)
    return job_id


class NoRoom(Permanent):
    """There is no room."""

    code = "NO_ROOM"


def test_a_fingerprint_is_of_code_kind_and_place_and_of_nothing_else() -> None:
    found = fingerprint_of("pipelines.run_stage", ERROR)
    assert found == "b9c54e24ff9a7119"
    same = [{**ERROR, "message": "Other words."}, {**ERROR, "details": {"steps": {"compile": "failed"}}}]
    assert {fingerprint_of("pipelines.run_stage", error) for error in same} == {found}
    others = [
        {**ERROR, "code": "STAGE_TIMED_OUT"},
        {**ERROR, "details": PLACE},
        {**ERROR, "details": {"stage": "build"}},
    ]
    assert (
        len({found, fingerprint_of("other", ERROR), *(fingerprint_of("pipelines.run_stage", e) for e in others)}) == 5
    )


def test_a_place_is_a_stage_with_its_step_or_a_function() -> None:
    places = {
        "build/compile": PLACE,
        "build": {"stage": "build", "step": None},
        "tasks.x:do": {"function": "tasks.x:do"},
    }
    assert {place_of({"details": details}) for details in places.values()} == set(places)
    assert place_of({"details": {}}) is None
    assert place_of({}) is None


def test_an_unforeseen_error_is_placed_by_the_innermost_of_our_own_functions() -> None:
    with pytest.raises(AttributeError) as caught:
        CelerySender(None).send([None])  # type: ignore[arg-type, list-item]
    assert function_of(caught.value) == "workers.sender:CelerySender.send"
    with pytest.raises(ZeroDivisionError) as elsewhere:
        1 / 0  # noqa: B018 - it is to fail
    assert function_of(elsewhere.value) is None


def test_a_failed_job_carries_its_fingerprint_until_it_is_tried_again(
    client: FlaskClient, database: Database, alice: Person
) -> None:
    job_id = fail(database, alice, NoRoom("There is no room for 7."))
    error = data_of(client.get(f"{API}/{job_id}", headers=alice.headers))["error"]
    assert error["fingerprint"] == fingerprint_of("tests.errand", error)
    assert data_of(client.post(f"{API}/{job_id}/retry", headers=alice.headers), 202)["error"] is None
    with database.transaction() as session:
        assert session.get_one(Job, job_id).fingerprint is None


def test_an_unforeseen_failure_names_its_function_and_no_value(
    client: FlaskClient, database: Database, alice: Person
) -> None:
    job_id = accept(database, alice)
    with database.transaction() as session:
        session.execute(update(Job).values(max_attempts=1))
    with doing(lambda *_: {"secret": 1 / 0}):
        make_runtime(database).run_job(job_id)
    error = data_of(client.get(f"{API}/{job_id}", headers=alice.headers))["error"]
    assert (error["code"], error["details"]) == ("INTERNAL_ERROR", {"function": "workers.runtime:Runtime._do"})


@pytest.fixture
def failures(database: Database, alice: Person) -> dict[str, list[UUID]]:
    """Five failures of Alice's of one kind, two of another, oldest first."""
    no_room = [fail(database, alice, NoRoom(f"There is no room for {number}.")) for number in range(5)]
    return {"NO_ROOM": no_room, "PERMANENT_FAILURE": [fail(database, alice, Permanent()) for _ in range(2)]}


def test_jobs_are_found_by_code_and_by_fingerprint(
    client: FlaskClient, alice: Person, failures: dict[str, list[UUID]]
) -> None:
    def listed(query: str) -> list[str]:
        return [job["id"] for job in data_of(client.get(f"{API}?sort=created_at&{query}", headers=alice.headers))]

    fingerprint = fingerprint_of("tests.errand", {"code": "NO_ROOM"})
    assert listed(f"fingerprint={fingerprint}") == listed("error_code=NO_ROOM") == list(map(str, failures["NO_ROOM"]))
    assert listed(f"fingerprint={fingerprint}&error_code=PERMANENT_FAILURE") == []
    assert listed("fingerprint=nobody's") == []


def test_failures_are_grouped_by_fingerprint(
    client: FlaskClient, alice: Person, failures: dict[str, list[UUID]]
) -> None:
    many, few = data_of(client.get(f"{API}/failures", headers=alice.headers))
    newest = data_of(client.get(f"{API}/{failures['NO_ROOM'][-1]}", headers=alice.headers))
    oldest = data_of(client.get(f"{API}/{failures['NO_ROOM'][0]}", headers=alice.headers))
    assert many == {
        "fingerprint": newest["error"]["fingerprint"],
        "code": "NO_ROOM",
        "kind": "tests.errand",
        "where": None,
        "message": "There is no room for 4.",
        "count": 5,
        "first_seen": oldest["finished_at"],
        "last_seen": newest["finished_at"],
        "job_ids": [str(job_id) for job_id in reversed(failures["NO_ROOM"][-3:])],
    }
    assert (few["code"], few["count"], len(few["job_ids"])) == ("PERMANENT_FAILURE", 2, 2)


def test_the_summary_is_of_a_window_and_narrowed_by_filters(
    client: FlaskClient, database: Database, alice: Person, failures: dict[str, list[UUID]]
) -> None:
    def counted(query: str) -> dict[str, int]:
        return {
            group["code"]: group["count"]
            for group in data_of(client.get(f"{API}/failures?{query}", headers=alice.headers))
        }

    with database.transaction() as session:
        for job_id, days in ((failures["NO_ROOM"][0], 8), (failures["NO_ROOM"][1], 6)):
            moment = text(f"clock_timestamp() - interval '{days} days'")
            session.execute(update(Job).where(Job.id == job_id).values(finished_at=moment))
    assert counted("") == {"NO_ROOM": 4, "PERMANENT_FAILURE": 2}
    with database.transaction() as session:
        third = session.get_one(Job, failures["NO_ROOM"][2]).finished_at
        assert third is not None
    since = format_time(third).replace("Z", "%2B00:00")
    assert counted(f"since={since}")["NO_ROOM"] == 3
    assert counted("limit=1") == {"NO_ROOM": 4}
    assert counted("error_code=PERMANENT_FAILURE") == {"PERMANENT_FAILURE": 2}
    assert counted(f"kind=tests.errand&queue=default&organization_id={alice.organization_id}&limit=100") == counted("")
    assert counted("kind=other") == {}
    for query in ("limit=0", "limit=101", "since=yesterday", "colour=red"):
        error_of(client.get(f"{API}/failures?{query}", headers=alice.headers), 422)


def test_only_failures_the_caller_may_see_are_counted(
    app: Flask, client: FlaskClient, database: Database, failures: dict[str, list[UUID]]
) -> None:
    bob = make_person(app, database, "bob")
    assert data_of(client.get(f"{API}/failures", headers=bob.headers)) == []
    fail(database, bob, NoRoom())
    assert [group["count"] for group in data_of(client.get(f"{API}/failures", headers=bob.headers))] == [1]
    admin = make_person(app, database, "root", role="admin")
    assert data_of(client.get(f"{API}/failures", headers=admin.headers))[0]["count"] == 6


def test_what_ended_otherwise_has_no_fingerprint(database: Database, alice: Person) -> None:
    job_id = accept(database, alice)
    with database.transaction() as session:
        jobs.cancel(session, session.get_one(Job, job_id))
    with database.transaction() as session:
        job = session.get_one(Job, job_id)
        assert (job.status, job.error, job.fingerprint) == (jobs.CANCELLED, None, None)
    assert identify("k", ERROR)["fingerprint"] == fingerprint_of("k", ERROR)
