"""What is kept of scans and problems, and for how long."""

from __future__ import annotations

from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy import select

from app import jobs
from app.kernel.db import Database
from app.kernel.partitions import existing_partitions
from app.sre import KeepScans
from app.sre.models import ScanSeries
from tests.support.clusters import Keeper
from tests.support.identity import Person
from tests.support.metrics import get
from tests.support.problems import make_problem, minutes


def test_what_is_over_is_closed_and_what_is_old_is_forgotten(
    client: FlaskClient, alice: Person, keeper: Keeper, database: Database
) -> None:
    over, long_over = minutes(0) - timedelta(days=8), minutes(0) - timedelta(days=4000)
    resolved = make_problem(database, alice.organization_id, status="resolved", resolved_at=over)
    make_problem(database, alice.organization_id, status="closed", resolved_at=long_over, closed_at=long_over)
    with database.transaction() as session:
        job_id = jobs.accept(session, KeepScans())
    keeper.drain()
    result = keeper.job(str(job_id)).result
    assert result == {"weeks": 0, "scans": 0, "closed": 1, "steps": 0, "problems": 1}
    (left,) = get(client, alice, "/sre/problems")
    assert (left["id"], left["status"]) == (str(resolved.id), "closed")
    with database.transaction() as session:
        assert len(existing_partitions(session, ScanSeries.__tablename__)) >= 5
        assert session.scalars(select(ScanSeries)).all() == []
