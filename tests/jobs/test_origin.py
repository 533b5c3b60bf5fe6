"""Where jobs come from: the request that asked for one is known to whoever does it, and to what that accepts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app import jobs
from app.jobs import Job, Run
from app.kernel.clock import database_now, sql_seconds
from app.kernel.context import known, working_for
from app.kernel.db import Database
from app.kernel.errors import Transient
from app.kernel.ids import new_id
from tests.support.work import Errand, doing, make_runtime

ASKED = {"request_id": "walk-1"}


def accept(database: Database, **options: Any) -> UUID:
    with database.transaction() as session:
        return jobs.accept(session, Errand(new_id()), **options)


def origin_of(database: Database, job_id: UUID) -> dict[str, Any] | None:
    with database.transaction() as session:
        return session.get_one(Job, job_id, populate_existing=True).origin


def test_a_job_keeps_the_request_that_asked_for_it(database: Database) -> None:
    with working_for(**ASKED):
        asked = accept(database)
    assert origin_of(database, asked) == ASKED
    assert origin_of(database, accept(database)) is None


def test_its_work_knows_the_request_the_job_and_the_attempt_and_so_does_what_it_accepts(database: Database) -> None:
    with working_for(**ASKED):
        job_id = accept(database)
    seen: list[dict[str, Any]] = []
    children: list[UUID] = []

    def deed(run: Run, *_: object) -> None:
        seen.append(dict(known()))
        if not children:
            with run.recording() as (session, job):
                children.append(jobs.accept(session, Errand(new_id()), parent_id=job.id))

    with doing(deed):  # type: ignore[arg-type]
        make_runtime(database).run_job(job_id)
        make_runtime(database).run_job(children[0])
    assert seen == [
        {"request_id": "walk-1", "job_id": job_id, "attempt": 1},
        {"request_id": "walk-1", "job_id": children[0], "attempt": 1},
    ]
    assert known() == {}


def test_lines_of_an_attempt_end_with_what_became_of_it(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="workers.runtime")

    def fail(*_: object) -> None:
        raise Transient

    for deed, error in ((lambda *_: None, None), (fail, "TRANSIENT_FAILURE"), (lambda *_: 1 / 0, "ZeroDivisionError")):
        with doing(deed):  # type: ignore[arg-type]
            make_runtime(database).run_job(accept(database))
        line = vars(caplog.records[-1])
        assert (line["message"], line["kind"], line["error"]) == ("an attempt ended", "tests.errand", error)
        assert line["seconds"] >= 0


def test_whoever_takes_a_job_from_a_lost_worker_carries_its_origin_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with working_for(**ASKED):
        job_id = accept(database)
    with database.transaction() as session:
        assert jobs.claim(session, job_id, "lost:1", 60)
        minute_ago = database_now() - sql_seconds(60)
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=minute_ago))
    seen: list[dict[str, Any]] = []
    caplog.handler.addFilter(lambda _: not seen.append(dict(known())))
    with database.transaction() as session:
        assert jobs.reap(session, job_id)
    assert {"request_id": "walk-1", "job_id": job_id, "attempt": 1} in seen
