"""What Prometheus reads: who may, and what is told of the platform's parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.metrics_core import Metric
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from app.http import Platform
from app.http.connections import IN_USE, LIMIT, watch_connections
from app.http.metrics import REFUSED
from app.kernel.db import Database
from app.kernel.engine import make_engine
from app.kernel.events import EventRecord
from app.kernel.ids import new_id
from launcher.ports import free_port
from tests.support.limits import away_limiter

TOKEN = "the metrics' own token"


def value(client: FlaskClient, series: str) -> float:
    """Return the value of one series."""
    (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{series} ")]
    return float(line.rpartition(" ")[2])


def test_who_brings_the_token_reads_and_nobody_else(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "metrics_token", TOKEN)
    assert anyone.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    for given in ({}, {"Authorization": "Bearer another"}, {"Authorization": TOKEN}, {"Authorization": "Bearer é"}):
        refused = anyone.get("/metrics", headers=given)
        assert (refused.status_code, refused.json["error"]["code"]) == (401, "AUTH_REQUIRED")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_without_a_token_they_are_open_on_a_developers_machine_alone(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert anyone.get("/metrics").status_code == 200
    monkeypatch.setattr(parts, "is_development", False)
    refused = anyone.get("/metrics")
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert "METRICS_TOKEN" in refused.json["error"]["message"]


def test_they_tell_which_parts_are_up(anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    assert value(anyone, 'headrace_part_up{part="redis"}') == value(anyone, 'headrace_part_up{part="database"}') == 1
    monkeypatch.setattr(parts, "limiter", away_limiter())
    assert value(anyone, 'headrace_part_up{part="redis"}') == 0


def test_a_database_that_goes_away_while_they_are_read_costs_its_own_alone(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(session: Session) -> list[Metric]:
        session.execute(text("SELECT 1 / 0"))
        return []

    monkeypatch.setattr(parts, "gauges", [fail])
    assert value(anyone, 'headrace_part_up{part="database"}') == 1
    assert "headrace_events_oldest_seconds" not in anyone.get("/metrics").text


def test_without_the_database_they_tell_the_rest(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = create_engine(f"postgresql+psycopg://x:y@127.0.0.1:{free_port()}/z", connect_args={"connect_timeout": 1})
    monkeypatch.setattr(parts, "database", Database(nowhere))
    assert value(anyone, 'headrace_part_up{part="database"}') == 0
    said = anyone.get("/metrics").text
    assert "headrace_http_requests_total" in said
    assert "headrace_events_oldest_seconds" not in said


def test_they_tell_how_long_events_wait(anyone: FlaskClient, database: Database) -> None:
    assert value(anyone, "headrace_events_oldest_seconds") == 0
    with database.transaction() as session:
        session.add(EventRecord(id=new_id(), type="mill.turned", organization_id=new_id(), topics=[], data={}))
    assert 0 < value(anyone, "headrace_events_oldest_seconds") < 60


def test_they_tell_what_is_left_of_the_disks_of_local_stores(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(parts, "log_store", f"file://{tmp_path}/not/yet/there")
    monkeypatch.setattr(parts, "artifact_store", "s3://bucket/artifacts")
    size = value(anyone, 'headrace_store_size_bytes{store="logs"}')
    assert 0 < value(anyone, 'headrace_store_free_bytes{store="logs"}') <= size
    assert 'store="artifacts"' not in anyone.get("/metrics").text


def test_they_tell_how_many_connections_are_at_work(postgres_url: str, toy: object) -> None:
    engine = make_engine(postgres_url, pool_size=3)
    database = Database(engine)
    watch_connections(database)
    assert LIMIT._value.get() == 6
    with database.transaction() as session, database.transaction() as another:
        for one in (session, another):
            one.connection()
        assert IN_USE._value.get() == 2
    assert IN_USE._value.get() == 0
    engine.dispose()


def test_they_count_what_was_refused_by_its_reason(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = 'headrace_requests_refused_total{reason="database_away"}'
    before = REFUSED.labels("database_away")._value.get()
    nowhere = create_engine(f"postgresql+psycopg://x:y@127.0.0.1:{free_port()}/z", connect_args={"connect_timeout": 1})
    with monkeypatch.context() as patched:
        patched.setattr(parts, "database", Database(nowhere))
        assert anyone.get("/api/v1/gadgets", headers={"Authorization": "Bearer alice"}).status_code == 503
    assert value(anyone, series) == before + 1
