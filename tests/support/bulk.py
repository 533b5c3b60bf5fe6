"""Many jobs at once: jobs to move, and somebody who moves them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select

from app import jobs
from app.jobs import Job
from app.kernel.db import Database
from app.kernel.errors import Permanent
from app.kernel.ids import new_id
from tests.support.identity import Person, data_of
from tests.support.work import Errand, doing, drain, make_runtime

API = "/api/v1/jobs"
FAST: dict[str, Any] = {"rate": 1000}


def accept_errands(database: Database, owner: Person, many: int = 1, **options: Any) -> list[UUID]:
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
        found = {row.id: row.status for row in session.execute(select(Job.id, Job.status).where(Job.id.in_(job_ids)))}
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
