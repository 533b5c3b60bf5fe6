"""How clusters and workspaces fare: what they use, whether they are well, and their alerts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clusters import Access, ClusterHealth
from app.clusters.checks import CheckRules
from app.clusters.inventory import Observed, Seen, record_inventory
from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.monitoring import Place, write_samples
from app.monitoring.incoming import Incoming
from app.monitoring.models import Alert
from app.monitoring.points import put_in_order, to_micros
from app.tenancy import Workspace
from app.tenancy.models import Space
from tests.support.identity import Person, data_of, error_of
from tests.support.metrics import get, make_alert
from tests.support.places import make_cluster
from tests.support.tenancy import make_workspace

END = 1767229200.0
ASKED = {"end": END, "period": "1h"}
ACCESS = Access("https://kube.example.com", token="t")


@pytest.fixture
def cluster_id(app: Flask, database: Database, alice: Person) -> UUID:
    """A cluster with two nodes, one of them away, and pods in two namespaces."""
    cluster_id = make_cluster(app, database, alice, ACCESS)
    nodes = [Seen("", "n1", "Ready", {}), Seen("", "n2", "NotReady", {})]
    pods = [Seen("shop", "web", "Running", {}), Seen("shop", "job", "Succeeded", {}), Seen("other", "x", "Failed", {})]
    spaces = [Seen("", "shop", "Active", {}), Seen("", "other", "Active", {})]
    with database.transaction() as session:
        seen = {"nodes": Observed(nodes), "pods": Observed(pods), "namespaces": Observed(spaces)}
        record_inventory(session, cluster_id, seen, CheckRules())
        session.execute(update(ClusterHealth).values(checked_at=utc_now(), node_count=2, ready_nodes=1))
    return cluster_id


@pytest.fixture
def workspace(database: Database, alice: Person, cluster_id: UUID) -> Workspace:
    """A workspace whose namespace on that cluster is `shop`."""
    workspace = make_workspace(database, alice)
    with database.transaction() as session:
        values = {"host_id": cluster_id, "isolation": "namespace", "namespace": "shop"}
        session.execute(update(Workspace).where(Workspace.id == workspace.id).values(**values))
        session.add(Space(workspace_id=workspace.id, host_id=cluster_id, name="shop", purpose="workspace"))
    return workspace


@pytest.fixture
def measured(database: Database, alice: Person, cluster_id: UUID) -> None:
    """An hour of two nodes and two pods, each minute, and a node's disk and network."""
    place = Place(alice.organization_id, cluster_id=cluster_id)
    times = np.arange(END - 3600, END, 60.0)
    given: list[tuple[str, dict[str, str], Any]] = []
    for number, node in enumerate(("n1", "n2"), start=1):
        given.append(("kubernetes_node_cpu_cores", {"node": node}, np.full(60, float(number))))
        given.append(("kubernetes_node_cpu_allocatable_cores", {"node": node}, np.full(60, 4.0)))
    for namespace, value in (("shop", 0.5), ("other", 7.0)):
        labels = {"namespace": namespace, "pod": "web", "container": "web"}
        given.append(("kubernetes_pod_cpu_cores", labels, np.full(60, value)))
    quota = {"namespace": "shop", "quota": "q", "resource": "requests.cpu"}
    given.append(("kubernetes_quota_hard", quota, np.full(60, 2.0)))
    for name, value in (("size", 100.0), ("avail", 25.0)):
        given.append((f"node_filesystem_{name}_bytes", {"mountpoint": "/", "fstype": "ext4"}, np.full(60, value)))
        given.append((f"node_filesystem_{name}_bytes", {"mountpoint": "/run", "fstype": "tmpfs"}, np.full(60, 9e9)))
    counter = np.concatenate([np.arange(30) * 6000.0, np.arange(30) * 6000.0])
    given.append(("node_network_receive_bytes_total", {"device": "eth0"}, counter))
    series = [Incoming(name, labels, put_in_order(to_micros(times), values)) for name, labels, values in given]
    with database.transaction() as session:
        write_samples(session, place, series, 0)


@pytest.mark.usefixtures("measured")
def test_a_cluster_shows_what_it_has_and_uses(client: FlaskClient, alice: Person, cluster_id: UUID) -> None:
    told = get(client, alice, f"/clusters/{cluster_id}/metrics", **ASKED)
    assert told["nodes"] == {"total": 2, "by_status": {"NotReady": 1, "Ready": 1}}
    assert told["pods"] == {"total": 3, "by_status": {"Failed": 1, "Running": 1, "Succeeded": 1}}
    assert (told["namespaces"], told["resolution"]) == (2, "1m")
    cpu, disk = told["metrics"]["cpu"], told["metrics"]["disk"]
    figures = ("current", "average", "peak", "percentile_95", "capacity", "percent", "unit")
    assert [cpu[name] for name in figures] == [3.0, 3.0, 3.0, 3.0, 8.0, 37.5, "cores"]
    assert len(cpu["points"]) == 60
    assert (disk["current"], disk["capacity"], disk["percent"]) == (75.0, 100.0, 75.0)
    # The counter began anew in the middle: that minute is not known.
    network = told["metrics"]["network_in"]
    assert {value for _, value in network["points"]} == {100.0}
    assert len(network["points"]) == 58
    assert told["metrics"]["memory"]["current"] is None
    assert told["metrics"]["memory"]["points"] == []


@pytest.mark.usefixtures("measured")
def test_longer_times_are_shown_in_wider_steps(client: FlaskClient, alice: Person, cluster_id: UUID) -> None:
    told = get(client, alice, f"/clusters/{cluster_id}/metrics", end=END, period="24h", metric="cpu")
    assert (list(told["metrics"]), told["resolution"]) == (["cpu"], "5m")
    assert {value for _, value in told["metrics"]["cpu"]["points"]} == {3.0}
    told = get(client, alice, f"/clusters/{cluster_id}/metrics", end=END, period="7d", metric="network_in")
    assert told["resolution"] == "1h"


@pytest.mark.usefixtures("measured")
def test_a_workspace_shows_its_own_namespaces_alone(client: FlaskClient, alice: Person, workspace: Workspace) -> None:
    told = get(client, alice, f"/workspaces/{workspace.id}/monitoring/metrics", **ASKED)
    assert told["namespaces"] == ["shop"]
    cpu = told["metrics"]["cpu"]
    assert (cpu["current"], cpu["capacity"], cpu["percent"]) == (0.5, 2.0, 25.0)


def test_a_workspaces_health_is_that_of_its_worst_part(
    client: FlaskClient, alice: Person, workspace: Workspace, database: Database
) -> None:
    path = f"/workspaces/{workspace.id}/monitoring/health"
    told = get(client, alice, path)
    assert told["status"] == "warning"
    assert told["nodes"] == {"total": 2, "ready": 1}
    assert {name: check["status"] for name, check in told["checks"].items()} == {
        "workspace": "healthy",
        "api_server": "healthy",
        "nodes": "warning",
        "pods": "healthy",
    }
    assert told["pods"] == {"total": 2, "by_status": {"Running": 1, "Succeeded": 1}}
    with database.transaction() as session:
        session.execute(update(ClusterHealth).values(failures=3, ready_nodes=0))
    told = get(client, alice, path)
    assert (told["status"], told["checks"]["api_server"]["message"]) == ("critical", "The last 3 checks failed.")


def test_a_workspace_without_a_cluster_has_a_health_too(client: FlaskClient, alice: Person, database: Database) -> None:
    workspace = make_workspace(database, alice)
    told = get(client, alice, f"/workspaces/{workspace.id}/monitoring/health")
    assert (told["status"], list(told["checks"]), told["nodes"]) == ("healthy", ["workspace"], None)
    told = get(client, alice, f"/workspaces/{workspace.id}/monitoring/metrics")
    assert (told["namespaces"], told["metrics"]["cpu"]["current"]) == ([], None)


def test_a_workspaces_alerts_are_its_own_and_those_of_its_namespaces(
    client: FlaskClient, alice: Person, workspace: Workspace, cluster_id: UUID, database: Database
) -> None:
    kept = make_alert(database, alice.organization_id)
    with database.transaction() as session:
        values = {"cluster_id": cluster_id, "labels": {"namespace": "shop"}}
        session.execute(update(Alert).where(Alert.id == kept.id).values(**values))
    path = f"/workspaces/{workspace.id}/monitoring/alerts"
    assert [one["id"] for one in get(client, alice, path, severity="warning", status="firing")] == [str(kept.id)]
    assert get(client, alice, path, severity="critical") == []
    with database.transaction() as session:
        session.execute(update(Alert).values(labels={"namespace": "other"}))
    assert get(client, alice, path) == []


def test_strangers_see_nothing_of_it(
    client: FlaskClient, charlie: Person, workspace: Workspace, cluster_id: UUID
) -> None:
    place = f"/api/v1/workspaces/{workspace.id}/monitoring"
    for path in (f"/api/v1/clusters/{cluster_id}/metrics", f"{place}/metrics", f"{place}/health", f"{place}/alerts"):
        error_of(client.get(path, headers=charlie.headers), 404)


def test_what_cannot_be_asked_is_refused(client: FlaskClient, alice: Person, cluster_id: UUID) -> None:
    for asked in ({"metric": "luck"}, {"period": "1h", "start": 1}, {"start": 10, "end": 5}):
        reply = client.get(f"/api/v1/clusters/{cluster_id}/metrics", query_string=asked, headers=alice.headers)
        assert error_of(reply, 422)["code"] == "VALIDATION_ERROR"
    assert data_of(client.get(f"/api/v1/clusters/{cluster_id}", headers=alice.headers))
