"""What operators are told of the clusters."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import update

from app.clusters import Access, Cluster, ClusterHealth
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from tests.support.clusters import register
from tests.support.identity import Person


def test_metrics_count_clusters_by_status_and_tell_how_late_their_checks_are(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    for name in ("one", "two"):
        register(client, alice, Access("https://kube.example.com", token="t"), name)
    with database.transaction() as session:
        session.execute(update(Cluster).where(Cluster.name == "two").values(status="error"))
        late = database_now() - sql_seconds(300)
        session.execute(update(ClusterHealth).values(next_check_at=late, next_inventory_at=late, failures=1))
    said = client.get("/metrics").text
    assert 'headrace_clusters{status="pending"} 1.0' in said
    assert 'headrace_clusters{status="error"} 1.0' in said
    assert 'headrace_clusters{status="connected"} 0.0' in said
    assert "headrace_cluster_checks_late_seconds 30" in said
    assert "headrace_cluster_inventories_late_seconds 0.0" in said
    assert "headrace_cluster_watches 0.0" in said
