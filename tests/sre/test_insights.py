"""Insights: how clusters fare, in numbers with their parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clusters import Access, CheckRules, ClusterCheck, ClusterHealth, Observed, Seen, record_inventory
from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.monitoring import Alert, Incoming, Place, Points, write_samples
from app.sre.models import Anomaly
from tests.support.identity import Person, error_of
from tests.support.metrics import get, make_alert, make_anomaly
from tests.support.places import make_cluster

ACCESS = Access("https://kube.example.com", token="t")


@pytest.fixture
def cluster_id(app: Flask, database: Database, alice: Person) -> UUID:
    """A cluster that is well."""
    return furnish(app, database, alice, "shop", ready=2, failing=0)


def furnish(app: Flask, database: Database, alice: Person, name: str, *, ready: int, failing: int) -> UUID:
    cluster_id, now = make_cluster(app, database, alice, ACCESS, name), utc_now()
    pods = [Seen("shop", f"p{number}", "Error" if number < failing else "Running", {}) for number in range(4)]
    with database.transaction() as session:
        record_inventory(session, cluster_id, {"pods": Observed(pods)}, CheckRules())
        values = {"checked_at": now, "node_count": 2, "ready_nodes": ready}
        session.execute(update(ClusterHealth).where(ClusterHealth.cluster_id == cluster_id).values(**values))
        for number in range(4):
            at = now - timedelta(minutes=number)
            session.add(ClusterCheck(cluster_id=cluster_id, at=at, healthy=number > 0 or not failing))
    return cluster_id


def measure(database: Database, alice: Person, cluster_id: UUID, before: float, after: float) -> None:
    """Let a node of four cores use so much until an hour ago, and so much since."""
    now = utc_now().timestamp()
    # None lies on the hour's edge: whoever asks a moment later would find it before.
    seconds = np.arange(now - 86_400 + 150, now, 300.0)
    times = (seconds * 1e6).astype(np.int64)
    values = np.where(seconds < now - 3600, before, after)
    given = {"kubernetes_node_cpu_cores": values, "kubernetes_node_cpu_allocatable_cores": np.full(len(values), 4.0)}
    series = [Incoming(name, {"node": "n1"}, Points(times, some)) for name, some in given.items()]
    with database.transaction() as session:
        write_samples(session, Place(alice.organization_id, cluster_id=cluster_id), series, 0)


def fire(database: Database, alice: Person, cluster_id: UUID, **values: Any) -> None:
    alert = make_alert(database, alice.organization_id)
    fingerprint = new_id().bytes
    with database.transaction() as session:
        changed = {"cluster_id": cluster_id, "fingerprint": fingerprint, **values}
        session.execute(update(Alert).where(Alert.id == alert.id).values(**changed))


def test_a_cluster_shows_its_score_with_its_parts(
    client: FlaskClient, alice: Person, cluster_id: UUID, database: Database
) -> None:
    measure(database, alice, cluster_id, before=1.2, after=3.6)
    fire(database, alice, cluster_id)
    told = get(client, alice, f"/sre/insights/cluster/{cluster_id}")
    parts = {part["name"]: part["score"] for part in told["health"]["parts"]}
    assert parts == pytest.approx({"availability": 100, "nodes": 100, "pods": 100, "capacity": 50, "alerts": 90})
    assert told["health"]["score"] == pytest.approx(91.0)
    assert (told["health"]["level"], told["trend"], told["days"]) == ("healthy", "stable", 7)
    assert [part["message"] for part in told["health"]["parts"] if part["name"] == "capacity"] == [
        "90% of the processor is used."
    ]
    (cpu,) = told["performance"]
    assert (cpu["metric"], cpu["status"]) == ("cpu", "critical")
    assert cpu["deviation_percent"] == pytest.approx(200.0, abs=10)
    assert (cpu["current"], cpu["baseline"]) == pytest.approx((3.6, 1.2), rel=0.05)


def test_what_went_wrong_is_counted_by_day(
    client: FlaskClient, alice: Person, cluster_id: UUID, database: Database
) -> None:
    now = utc_now()
    fire(database, alice, cluster_id, severity="critical", status="resolved", resolved_at=now)
    fire(database, alice, cluster_id, fired_at=now - timedelta(days=2))
    fire(database, alice, cluster_id, fired_at=now - timedelta(days=20))
    anomaly = make_anomaly(database, alice.organization_id, new_id())
    with database.transaction() as session:
        session.execute(update(Anomaly).where(Anomaly.id == anomaly.id).values(cluster_id=cluster_id))
    days = get(client, alice, f"/sre/insights/cluster/{cluster_id}", days=3)["trends"]
    assert len(days) == 3
    assert days[2] == {"date": now.date().isoformat(), "alerts": 1, "critical": 1, "resolved": 1, "anomalies": 1}
    assert (days[0]["alerts"], days[1]["alerts"]) == (1, 0)


def test_an_overview_says_who_does_best_and_who_needs_attention(
    app: Flask, client: FlaskClient, alice: Person, cluster_id: UUID, database: Database
) -> None:
    poor = furnish(app, database, alice, "poor", ready=1, failing=2)
    away = furnish(app, database, alice, "away", ready=2, failing=0)
    with database.transaction() as session:
        session.execute(update(ClusterHealth).where(ClusterHealth.cluster_id == away).values(failures=4))
    fire(database, alice, cluster_id, status="resolved", resolved_at=utc_now())
    told = get(client, alice, "/sre/insights/overview")
    assert (told["clusters"], told["healthy_clusters"]) == (3, 1)
    assert [one["name"] for one in told["top_performing"]] == ["shop", "poor", "away"]
    assert [one["cluster_id"] for one in told["needing_attention"]] == [str(away), str(poor)]
    assert told["needing_attention"][0]["message"] == "It does not answer."
    assert told["needing_attention"][1]["message"] in ("1 of 2 nodes are ready.", "2 of 4 pods do not run.")
    assert (told["alerts_24h"], told["resolution_rate"], told["anomalies_24h"]) == (1, 1.0, 0)
    assert [one["level"] for one in told["insights"]] == ["positive", "warning"]


def test_nothing_registered_is_nothing_to_tell(client: FlaskClient, alice: Person) -> None:
    told = get(client, alice, "/sre/insights/overview")
    assert (told["clusters"], told["average_score"], told["resolution_rate"], told["insights"]) == (0, None, None, [])


def test_a_cluster_of_which_nothing_is_known_has_no_score_but_its_alerts(
    app: Flask, client: FlaskClient, alice: Person, database: Database
) -> None:
    cluster_id = make_cluster(app, database, alice, ACCESS)
    told = get(client, alice, f"/sre/insights/cluster/{cluster_id}", days=1)
    known = [part["name"] for part in told["health"]["parts"] if part["score"] is not None]
    assert (known, told["performance"]) == (["alerts"], [])


def test_strangers_are_told_nothing(client: FlaskClient, alice: Person, charlie: Person, cluster_id: UUID) -> None:
    error_of(client.get(f"/api/v1/sre/insights/cluster/{cluster_id}", headers=charlie.headers), 404)
    told = get(client, charlie, "/sre/insights/overview", organization_id=str(alice.organization_id))
    assert told["clusters"] == 0
    error_of(client.get(f"/api/v1/sre/insights/cluster/{cluster_id}?days=91", headers=alice.headers), 422)
