"""What operators are told of the jobs."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import update

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.kernel.ids import new_id
from tests.support.work import Errand


def test_health_tells_of_jobs_that_nobody_takes(client: FlaskClient, database: Database) -> None:
    def look() -> dict[str, str]:
        checks = client.get("/health").get_json()["data"]["checks"]
        return next(check for check in checks if check["name"] == "workers")

    with database.transaction() as session:
        job_id = jobs.accept(session, Errand(new_id()))
    assert look()["status"] == "healthy"
    with database.transaction() as session:
        two_minutes = database_now() - sql_seconds(120)
        session.execute(update(Job).where(Job.id == job_id).values(scheduled_for=two_minutes))
    found = look()
    assert found["status"] == "degraded"
    assert "1 in default for up to 12" in found["message"]


def test_metrics_count_the_jobs_that_have_not_ended(client: FlaskClient, database: Database) -> None:
    with database.transaction() as session:
        jobs.accept(session, Errand(new_id()))
        ended = jobs.accept(session, Errand(new_id()))
        jobs.cancel(session, session.get_one(Job, ended))
    assert 'headrace_jobs{queue="default",status="queued"} 1.0' in client.get("/metrics").text
