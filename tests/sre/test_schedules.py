"""Scans by the clock."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import update

from app import jobs
from app.kernel.clock import database_now, sql_days
from app.kernel.db import Database
from app.sre import RunScanSchedules
from app.sre.models import ScanSchedule
from tests.support.clusters import Keeper
from tests.support.identity import Person, data_of, error_of
from tests.support.metrics import get, series, write

SCHEDULES = "/api/v1/sre/scan-schedules"
START = 1767225600.0


def make(client: FlaskClient, person: Person, **fields: Any) -> Any:
    body = {"name": "often", "series": ["m"], "interval_seconds": 300, **fields}
    return data_of(client.post(SCHEDULES, json=body, headers=person.headers), 201)


def tick(keeper: Keeper) -> None:
    with keeper.database.transaction() as session:
        jobs.accept(session, RunScanSchedules())
    keeper.drain()


def test_what_is_due_is_scanned_once_and_then_again_when_it_is_due(
    client: FlaskClient, alice: Person, keeper: Keeper, database: Database
) -> None:
    write(client, alice, series("m", [[START, 1], [START + 60, 2]]))
    made = make(client, alice, series=["m", "not there yet"])
    tick(keeper)
    tick(keeper)
    (first,) = get(client, alice, "/sre/scans", schedule_id=made["id"])
    assert (first["status"], first["points"], first["source"]) == ("succeeded", 2, "stored")
    assert get(client, alice, f"/sre/scan-schedules/{made['id']}")["last_scan_id"] == first["id"]
    write(client, alice, series("m", [[START + 120, 3]]))
    with database.transaction() as session:
        session.execute(update(ScanSchedule).values(next_run_at=database_now() - sql_days(1)))
    tick(keeper)
    assert [one["points"] for one in get(client, alice, "/sre/scans", schedule_id=made["id"])] == [1, 2]


def test_a_schedule_is_changed_switched_off_and_deleted(client: FlaskClient, alice: Person, keeper: Keeper) -> None:
    write(client, alice, series("m", [[START, 1]]))
    made = make(client, alice)
    path = f"{SCHEDULES}/{made['id']}"
    changed = data_of(client.patch(path, json={"enabled": False, "interval_seconds": 600}, headers=alice.headers))
    assert (changed["enabled"], changed["interval_seconds"], changed["name"]) == (False, 600, "often")
    tick(keeper)
    assert get(client, alice, "/sre/scans", schedule_id=made["id"]) == []
    body = {"name": "whole", "series": ["x"], "interval_seconds": 60}
    assert data_of(client.put(path, json=body, headers=alice.headers))["enabled"] is True
    assert client.delete(path, headers=alice.headers).status_code == 204
    error_of(client.get(path, headers=alice.headers), 404)


def test_schedules_of_others_do_not_exist(client: FlaskClient, alice: Person, charlie: Person) -> None:
    made = make(client, alice)
    error_of(client.get(f"{SCHEDULES}/{made['id']}", headers=charlie.headers), 404)
    error_of(client.patch(f"{SCHEDULES}/{made['id']}", json={"enabled": False}, headers=charlie.headers), 404)
    assert get(client, charlie, "/sre/scan-schedules") == []
    body = {"name": "often", "series": ["m"], "interval_seconds": 1}
    assert error_of(client.post(SCHEDULES, json=body, headers=alice.headers), 422)["errors"][0]["field"] == (
        "interval_seconds"
    )
