"""Jobs over HTTP: found, waited for, cancelled and tried again, and what is refused."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import jobs
from app.jobs import Job
from app.jobs.failures import identify
from app.kernel.db import Database
from app.kernel.errors import Permanent
from app.kernel.ids import new_id
from tests.support.identity import Person, data_of, error_of, make_person
from tests.support.work import Errand, doing, make_runtime

API = "/api/v1/jobs"


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    return make_person(app, database, "alice")


@pytest.fixture
def accepted(database: Database, alice: Person) -> list[UUID]:
    """Three jobs of Alice's organization, oldest first."""

    def accept(resource_id: UUID) -> UUID:
        with database.transaction() as session:
            resource = ("errand", resource_id)
            return jobs.accept(
                session, Errand(resource_id), organization_id=alice.organization_id, resource=resource, delay=0
            )

    return [accept(new_id()) for _ in range(3)]


def fail(*_: Any) -> None:
    raise Permanent("It cannot be done.")


def listed(client: FlaskClient, alice: Person, query: str) -> list[str]:
    return [job["id"] for job in data_of(client.get(f"{API}?{query}", headers=alice.headers))]


def test_jobs_are_found_by_what_they_are(
    client: FlaskClient, alice: Person, database: Database, accepted: list[UUID]
) -> None:
    first, second, third = map(str, accepted)
    with doing(fail):
        make_runtime(database).run_job(accepted[0])
    job = data_of(client.get(f"{API}/{second}", headers=alice.headers))
    queries = {
        "": [third, second, first],
        "sort=created_at&limit=2": [first, second],
        "status=failed": [first],
        "error_code=PERMANENT_FAILURE": [first],
        "error_code=OTHER": [],
        "kind=tests.errand&queue=default": [third, second, first],
        "kind=tests.other": [],
        f"resource_type=errand&resource_id={job['resource']['id']}": [second],
        f"organization_id={alice.organization_id}": [third, second, first],
        f"created_after={job['created_at']}&status=queued": [third, second],
        f"created_before={job['created_at']}": [first],
    }
    assert {query: listed(client, alice, query) for query in queries} == queries


@pytest.mark.parametrize(
    "query",
    ["status=odd", "resource_id=7", "created_after=yesterday", "created_after=2026-01-01", "sort=kind", "colour=red"],
)
def test_a_filter_that_makes_no_sense_is_refused(client: FlaskClient, alice: Person, query: str) -> None:
    assert error_of(client.get(f"{API}?{query}", headers=alice.headers), 422)["code"] == "VALIDATION_ERROR"


def test_a_reply_is_held_for_as_long_as_nothing_changes_and_no_longer(
    client: FlaskClient, alice: Person, database: Database, accepted: list[UUID]
) -> None:
    began = time.monotonic()
    job = data_of(client.get(f"{API}/{accepted[0]}?wait=1", headers=alice.headers))
    assert (job["status"], time.monotonic() - began > 0.9) == ("queued", True)
    with doing(fail):
        make_runtime(database).run_job(accepted[0])
    began = time.monotonic()
    job = data_of(client.get(f"{API}/{accepted[0]}?wait=60", headers=alice.headers))
    assert (job["status"], time.monotonic() - began < 5) == ("failed", True)
    error = {"code": "PERMANENT_FAILURE", "message": "It cannot be done.", "details": {}}
    assert job["error"] == identify(Errand.kind, error)
    for query in ("wait=61", "wait=-1", "wait=x", "wait=1.5"):
        error = error_of(client.get(f"{API}/{accepted[0]}?{query}", headers=alice.headers), 422)
        assert [fault["field"] for fault in error["errors"]] == ["wait"]


def test_a_queued_job_is_cancelled_once_and_tried_again(
    client: FlaskClient, alice: Person, database: Database, accepted: list[UUID]
) -> None:
    at = f"{API}/{accepted[0]}"
    error = error_of(client.post(f"{at}/retry", headers=alice.headers), 409)
    assert (error["code"], error["details"]) == ("INVALID_STATE", {"status": "queued"})
    reply = client.post(f"{at}/cancel", headers=alice.headers)
    cancelled = data_of(reply, 202)
    assert (cancelled["status"], cancelled["job_id"], reply.headers["Location"]) == ("cancelled", str(accepted[0]), at)
    assert cancelled["cancel_requested_at"] is not None
    assert error_of(client.post(f"{at}/cancel", headers=alice.headers), 409)["code"] == "INVALID_STATE"
    again = data_of(client.post(f"{at}/retry", headers=alice.headers), 202)
    assert (again["status"], again["cancel_requested_at"], again["finished_at"]) == ("queued", None, None)
    with doing(lambda *_: {"done": True}):
        assert make_runtime(database).run_job(accepted[0])
    done = data_of(client.get(at, headers=alice.headers))
    assert (done["status"], done["result"], done["attempt"]) == ("succeeded", {"done": True}, 1)
    for verb in ("cancel", "retry"):
        assert error_of(client.post(f"{at}/{verb}", headers=alice.headers), 409)["code"] == "INVALID_STATE"
    types = [event["type"] for event in data_of(client.get(f"{at}/events?", headers=alice.headers | JSON))]
    assert types == ["job.queued", "job.cancelling", "job.cancelled", "job.queued", "job.running", "job.succeeded"]


JSON = {"Accept": "application/json"}


def test_a_job_of_no_organization_is_its_creators(
    app: Flask, client: FlaskClient, alice: Person, database: Database
) -> None:
    bob = make_person(app, database, "bob")
    with database.transaction() as session:
        mine = jobs.accept(session, Errand(new_id()), created_by=alice.user.id)
        nobodys = jobs.accept(session, Errand(new_id()))
    assert listed(client, alice, "") == [str(mine)]
    assert listed(client, bob, "") == []
    assert data_of(client.get(f"{API}/{mine}", headers=alice.headers))["created_by"] == str(alice.user.id)
    for person, job_id in ((bob, mine), (alice, nobodys), (bob, nobodys)):
        for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")):
            reply = client.open(f"{API}/{job_id}{path}", method=method, headers=person.headers | JSON)
            assert error_of(reply, 404)["code"] == "RESOURCE_NOT_FOUND"
    with database.transaction() as session:
        assert session.get_one(Job, nobodys).status == jobs.QUEUED
