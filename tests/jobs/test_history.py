"""The history of jobs: every change, who made it and why, and where it goes when it is old."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update

from app import jobs
from app.jobs import Job, Run
from app.jobs.history import changes_of
from app.jobs.models import JobChange
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.kernel.errors import Permanent, Transient
from app.kernel.ids import new_id
from app.kernel.partitions import week_of
from app.kernel.store import BlobStore
from tests.support.identity import Person, data_of, make_person
from tests.support.work import Errand, doing, drain, make_runtime


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    return make_person(app, database, "alice")


def accept(database: Database, **options: Any) -> UUID:
    with database.transaction() as session:
        return jobs.accept(session, Errand(new_id()), **options)


def changes(database: Database, job_id: UUID) -> list[JobChange]:
    with database.transaction() as session:
        return list(session.execute(changes_of(job_id)).scalars())


def moves(database: Database, job_id: UUID) -> list[tuple[str | None, str]]:
    return [(change.from_status, change.to_status) for change in changes(database, job_id)]


def test_each_change_is_kept_with_its_time_its_worker_and_its_reason(database: Database) -> None:
    maker = new_id()
    job_id = accept(database, created_by=maker)
    with database.transaction() as session:
        session.execute(update(Job).values(scheduled_for=ago(5), changed_at=ago(60)))

    def fail_once(run: Run, *_: Any) -> None:
        if run.attempt == 1:
            raise Transient("The mill stands still.", retry_after=0)

    with doing(fail_once):
        assert drain(database) == 2
    found = changes(database, job_id)
    assert moves(database, job_id) == [
        (None, "queued"),
        ("queued", "running"),
        ("running", "queued"),
        ("queued", "running"),
        ("running", "succeeded"),
    ]
    assert [change.attempt for change in found] == [0, 1, 1, 2, 2]
    assert [change.actor for change in found] == [maker, None, None, None, None]
    assert [change.worker for change in found] == [None, "tests:1", "tests:1", "tests:1", "tests:1"]
    assert found[2].reason == "The mill stands still."
    assert [change.at for change in found] == sorted(change.at for change in found)
    # What waited was due five seconds ago, however long it had been there.
    assert found[1].seconds == pytest.approx(5, abs=2)
    assert {change.kind for change in found} == {"tests.errand"}


def ago(seconds: float) -> Any:
    return database_now() - sql_seconds(seconds)


def test_a_failure_is_kept_with_its_code(database: Database) -> None:
    class MillBroken(Permanent):
        """The mill is broken."""

        code = "MILL_BROKEN"

    def fail(*_: Any) -> None:
        raise MillBroken

    job_id = accept(database)
    with doing(fail):
        drain(database)
    last = changes(database, job_id)[-1]
    assert (last.to_status, last.code, last.reason) == ("failed", "MILL_BROKEN", "The mill is broken.")


def test_the_database_notes_what_nobody_told_it_to(database: Database) -> None:
    job_id = accept(database)
    with database.transaction() as session:
        session.execute(text("UPDATE jobs SET status = 'cancelled' WHERE id = :id"), {"id": job_id})
    assert moves(database, job_id)[-1] == ("queued", "cancelled")


def test_a_change_that_is_rolled_back_did_not_happen(database: Database) -> None:
    job_id = accept(database)

    def claim_and_fail() -> None:
        with database.transaction() as session:
            jobs.claim(session, job_id, "tests:1", 30)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        claim_and_fail()
    assert moves(database, job_id) == [(None, "queued")]


def test_progress_and_heartbeats_are_no_changes(database: Database) -> None:
    job_id = accept(database)
    with doing(lambda run, *_: run.progress(50, phase="milling")):
        make_runtime(database).run_job(job_id)
    assert len(moves(database, job_id)) == 3


def test_who_cancels_and_who_retries_is_told(client: FlaskClient, database: Database, alice: Person) -> None:
    job_id = accept(database, organization_id=alice.organization_id)
    for verb in ("cancel", "retry"):
        assert client.post(f"/api/v1/jobs/{job_id}/{verb}", headers=alice.headers).status_code == 202
    found = data_of(client.get(f"/api/v1/jobs/{job_id}/history", headers=alice.headers))
    assert [(change["from_status"], change["to_status"], change["actor"]) for change in found] == [
        (None, "queued", None),
        ("queued", "cancelled", str(alice.user.id)),
        ("cancelled", "queued", str(alice.user.id)),
    ]


def test_the_history_of_others_does_not_exist(client: FlaskClient, database: Database, app: Flask) -> None:
    charlie = make_person(app, database, "charlie")
    job_id = accept(database, organization_id=new_id())
    assert client.get(f"/api/v1/jobs/{job_id}/history", headers=charlie.headers).status_code == 404


def test_old_weeks_are_archived_then_dropped(database: Database, tmp_path: Path) -> None:
    old_day = datetime.now(UTC) - timedelta(days=120)
    old_week = week_of("job_changes", old_day.date())
    with database.transaction() as session:
        session.execute(
            text(
                f"CREATE TABLE {old_week.name} PARTITION OF job_changes "
                f"FOR VALUES FROM ('{old_week.start}Z') TO ('{old_week.end}Z')"
            )
        )
        row = {"job_id": new_id(), "at": old_day, "to_status": "queued", "attempt": 0, "kind": "k", "queue": "q"}
        session.add(JobChange(**row))
        jobs.accept(session, jobs.PruneHistory())
    archive = BlobStore(f"file://{tmp_path}")
    assert drain(database, SimpleNamespace(history_days=30, change_days=90, audit_days=365, archive=archive)) == 1
    lines = gzip.decompress(archive.read(f"job_changes/{old_week.name}.jsonl.gz")).splitlines()
    assert [json.loads(line)["job_id"] for line in lines] == [str(row["job_id"])]
    with database.transaction() as session:
        assert session.execute(text("SELECT to_regclass(:name)"), {"name": old_week.name}).scalar() is None
        assert session.get(JobChange, (row["job_id"], row["at"], "queued")) is None
