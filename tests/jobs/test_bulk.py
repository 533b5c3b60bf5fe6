"""Many jobs at once: previewed, retried and cancelled by a job, within the rights of whoever asked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, update

from app import jobs
from app.identity import User
from app.jobs import bulk as bulk_room
from app.kernel.db import Database
from app.kernel.ids import new_id
from tests.support.bulk import API, FAST, Bulk, accept_errands, fail_all, statuses
from tests.support.identity import Person, data_of, error_of, join
from tests.support.work import make_runtime


def test_failed_jobs_are_retried_by_one_job_with_progress(hers: Bulk, database: Database, alice: Person) -> None:
    failed = accept_errands(database, alice, 5)
    fail_all(database)
    queued = accept_errands(database, alice)
    reply = hers.ask("retry", filter={"error_code": "PERMANENT_FAILURE"}, **FAST)
    accepted = data_of(reply, 202)
    assert (accepted["kind"], accepted["status"], accepted["job_id"]) == ("jobs.bulk", "queued", accepted["id"])
    assert reply.headers["Location"] == f"{API}/{accepted['id']}"
    job = hers.run(UUID(accepted["id"]))
    assert (job["status"], job["result"]) == ("succeeded", {"matched": 5, "done": 5, "skipped": {}})
    assert (job["progress"]["percent"], job["progress"]["total"]) == (100.0, 5)
    assert statuses(database, failed + queued) == ["queued"] * 6


def test_queued_and_running_jobs_are_cancelled(hers: Bulk, database: Database, alice: Person) -> None:
    queued = accept_errands(database, alice, 3)
    running = accept_errands(database, alice)[0]
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
    queued = accept_errands(database, alice, 12)
    found = data_of(hers.ask("cancel", filter={"status": "queued"}, dry_run=True), 200)
    assert (found["count"], found["count_capped"]) == (12, False)
    assert found["job_ids"] == [str(job_id) for job_id in queued[:10]]
    assert set(statuses(database, queued)) == {"queued"}
    assert data_of(hers.ask("retry", filter={"queue": "default"}, dry_run=True), 200)["count"] == 0


def test_a_count_says_that_it_stopped_counting(
    hers: Bulk, database: Database, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_room, "COUNT_CAP", 2)
    accept_errands(database, alice, 3)
    found = data_of(hers.ask("cancel", all=True, dry_run=True), 200)
    assert (found["count"], found["count_capped"]) == (2, True)


def test_filters_are_those_of_the_list(hers: Bulk, database: Database, alice: Person) -> None:
    resource_id = new_id()
    first, second = accept_errands(database, alice, resource=("errand", resource_id)), accept_errands(database, alice)
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
    theirs, mine = accept_errands(database, alice, 2), accept_errands(database, bob)
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
    early = accept_errands(database, alice, 2)
    his = Bulk(client, database, bob)
    before = his.accept("cancel", all=True)
    join(database, bob, alice.organization_id, "member")
    assert his.run(before)["result"]["matched"] == 0
    assert his.result("cancel", all=True)["done"] == 2
    assert set(statuses(database, early)) == {"cancelled"}


def test_a_bulk_job_that_is_kept_moves_nothing_where_its_asker_has_lost_the_right(
    client: FlaskClient, database: Database, alice: Person, bob: Person
) -> None:
    theirs, mine = accept_errands(database, alice, 2), accept_errands(database, bob)
    join(database, bob, alice.organization_id, "member")
    his = Bulk(client, database, bob)
    kept = his.accept("cancel", all=True)
    data_of(client.post(f"{API}/{kept}/cancel", headers=bob.headers), 202)
    left = client.delete(f"/api/v1/organizations/{alice.organization_id}/members/me", headers=bob.headers)
    assert left.status_code == 204
    data_of(client.post(f"{API}/{kept}/retry", headers=bob.headers), 202)
    assert his.run(kept)["result"] == {"matched": 1, "done": 1, "skipped": {}}
    assert statuses(database, theirs + mine) == ["queued", "queued", "cancelled"]


def test_a_bulk_job_of_somebody_who_is_disabled_moves_nothing(hers: Bulk, database: Database, alice: Person) -> None:
    queued, bulk = accept_errands(database, alice), hers.accept("cancel", filter={"kind": "tests.errand"})
    with database.transaction() as session:
        session.execute(update(User).where(User.id == alice.user.id).values(disabled_at=func.now()))
    make_runtime(database).run_job(bulk)
    assert statuses(database, [bulk, *queued]) == ["succeeded", "queued"]


def test_a_bulk_job_never_takes_itself(hers: Bulk) -> None:
    other = hers.accept("cancel", filter={"kind": "nothing"})
    mine = hers.accept("cancel", all=True)
    assert hers.run(mine)["result"] == {"matched": 1, "done": 1, "skipped": {}}
    assert hers.look(other)["status"] == "cancelled"


def test_the_same_key_accepts_one_bulk_job(hers: Bulk, database: Database, alice: Person) -> None:
    body = {"action": "cancel", "all": True}
    headers = alice.headers | {"Idempotency-Key": "once"}
    replies = [hers.client.post(f"{API}/bulk", json=body, headers=headers) for _ in range(2)]
    assert len({data_of(reply, 202)["id"] for reply in replies}) == 1
