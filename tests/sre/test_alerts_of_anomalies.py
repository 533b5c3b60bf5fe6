"""Alert rules that go by the scores of anomalies."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.monitoring import MetricSeries, evaluate_rule
from app.monitoring.models import AlertRule
from app.sre.models import Anomaly
from tests.support.identity import Person, data_of
from tests.support.metrics import get, make_anomaly, series, write


def look(database: Database, rule_id: str, at: float) -> None:
    """Look at a rule as it was due at a moment, in seconds."""
    with database.transaction() as session:
        session.execute(update(AlertRule).values(evaluated_at=at - 10))
        evaluate_rule(session, UUID(rule_id), datetime.fromtimestamp(at, UTC))


def test_a_rule_fires_by_the_score_of_an_anomaly_for_as_long_as_that_is_open(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    now = float(int(time.time()) // 60 * 60)
    write(client, alice, series("latency", [[now - 60, 1.0]]), series("errors", [[now - 60, 1.0]]))
    anomaly = make_anomaly(database, alice.organization_id, new_id())
    with database.transaction() as session:
        known = {one.name: one.id for one in session.scalars(select(MetricSeries))}
        values = {"series_id": known["latency"], "is_open": True, "detected_at": utc_now() - timedelta(hours=1)}
        session.execute(update(Anomaly).where(Anomaly.id == anomaly.id).values(values))
    body = {"name": "odd", "kind": "anomaly", "threshold": 2, "interval_seconds": 10}
    rules = [
        data_of(client.post("/api/v1/alert-rules", json={**body, "query": name}, headers=alice.headers), 201)["id"]
        for name in ("latency", "errors")
    ]
    for rule_id in rules:
        look(database, rule_id, now)
    (alert,) = get(client, alice, "/alerts")
    assert (alert["status"], alert["value"], alert["rule_id"]) == ("firing", 3.0, rules[0])
    with database.transaction() as session:
        session.execute(update(Anomaly).values(is_open=False, end=utc_now() - timedelta(minutes=5)))
    look(database, rules[0], now + 60)
    assert get(client, alice, "/alerts", status="resolved")[0]["id"] == alert["id"]
