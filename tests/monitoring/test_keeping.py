"""For how long samples and series are kept."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy import text, update

from app import jobs
from app.kernel.clock import database_now, sql_days
from app.kernel.db import Database
from app.kernel.partitions import existing_partitions, week_of
from app.monitoring import KeepMetrics
from app.monitoring.models import MetricChunk, MetricSeries
from tests.support.clusters import Keeper
from tests.support.identity import Person
from tests.support.metrics import get, series, write

AGES = 4000


def test_old_weeks_of_samples_are_dropped_and_silent_series_forgotten(
    client: FlaskClient, alice: Person, keeper: Keeper, database: Database
) -> None:
    now = time.time()
    write(client, alice, series("silent", [[now - 60, 1.0]]), series("alive", [[now - 60, 2.0]]))
    table = MetricChunk.__tablename__
    old = week_of(table, (datetime.now(UTC) - timedelta(days=AGES)).date())
    with database.transaction() as session:
        bounds = f"FROM ('{old.start:%Y-%m-%d}Z') TO ('{old.end:%Y-%m-%d}Z')"
        session.execute(text(f"CREATE TABLE {old.name} PARTITION OF {table} FOR VALUES {bounds}"))
        silent = update(MetricSeries).where(MetricSeries.name == "silent")
        session.execute(silent.values(written_at=database_now() - sql_days(AGES)))
        job_id = jobs.accept(session, KeepMetrics())
    keeper.drain()
    assert keeper.job(str(job_id)).result == {"weeks": 1, "series": 1, "alerts": 0}
    with database.transaction() as session:
        kept = existing_partitions(session, table)
    assert old not in kept
    assert len(kept) >= 5
    assert [one["name"] for one in get(client, alice, "/metrics/series")] == ["alive"]
