"""Very many cancels at once: each is answered, none with a failure of ours, and nothing is left waiting for another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from app import jobs
from app.jobs import Job
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.kernel.opening import open_database
from tests.support.outage_api import Api, serving_api
from tests.support.work import Errand

FAMILIES = 100
CHILDREN = 4
CALLERS = 16


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving_api(tmp_path_factory.mktemp("cancels"), WEB_THREADS="8", WEB_STATEMENT_SECONDS="10") as api:
        yield api


@pytest.fixture
def database(api: Api) -> Iterator[Database]:
    database = open_database(api.settings.database_url, None, pool_size=2)
    yield database
    database.bind.dispose()  # type: ignore[union-attr]


def accept_families(database: Database, organization_id: UUID, families: int) -> list[UUID]:
    """Accept jobs, each with children; half of the jobs are parked, as an execution is while its stages run."""
    accepted: list[UUID] = []
    for number in range(families):
        with database.transaction() as session:
            parent = jobs.accept(session, Errand(new_id()), organization_id=organization_id)
            children = [
                jobs.accept(session, Errand(new_id()), organization_id=organization_id, parent_id=parent)
                for _ in range(CHILDREN)
            ]
            accepted += [parent, *children]
            if number % 2 and jobs.claim(session, parent, "tests:1", 3600):
                jobs.park(session, session.get_one(Job, parent))
    return accepted


def cancel_all(api: Api, job_ids: list[UUID]) -> Counter[int]:
    """Cancel each job twice, its children beside it, by as many callers as there are; count the statuses."""

    def cancel(job_id: UUID) -> int:
        return api.user.post(f"/jobs/{job_id}/cancel").status

    twice = [job_id for job_id in job_ids for _ in range(2)]
    with ThreadPoolExecutor(CALLERS) as callers:
        return Counter(callers.map(cancel, twice))


def test_cancels_of_whole_families_at_once_neither_fail_nor_wait_for_each_other(api: Api, database: Database) -> None:
    organization_id = UUID(api.user.get("/organizations").data()[0]["id"])
    job_ids = accept_families(database, organization_id, FAMILIES)
    answered = cancel_all(api, job_ids)
    assert set(answered) <= {202, 409}
    assert answered.total() == 2 * FAMILIES * (1 + CHILDREN)
    assert answered[202] >= FAMILIES
    with api.connect() as connection:
        unended = "SELECT count(*) FROM jobs WHERE kind = 'tests.errand' AND cancel_requested_at IS NULL"
        assert connection.execute(unended).fetchone() == (0,)
        queued = "SELECT count(*) FROM jobs WHERE kind = 'tests.errand' AND status = 'queued'"
        assert connection.execute(queued).fetchone() == (0,)
