"""Looking for problems: at a cluster whose API server answers, at alerts and anomalies, and at all by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.clusters import Access, CheckRules, Cluster, Observed, observation, observation_of, record_inventory
from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.monitoring import Alert, reading
from app.sre import LookForProblems, look_at_cluster
from app.sre.problems.signals import Topology, guess_workload, labels_in
from tasks.clusters.gateways.kubernetes import RestCluster, kinds
from tests.clusters.contract.world import LOOPBACK, eventually, workload
from tests.support.accidents import lose_node
from tests.support.clusters import Keeper, register
from tests.support.identity import Person, data_of
from tests.support.kubernetes import NEVER_READY, ApiServer, serving
from tests.support.metrics import get, make_alert, make_anomaly, series, write
from tests.support.scene import Scene
from tests.support.tenancy import make_workspace

WAITS = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "example/none": not found'}


@pytest.fixture
def api_server(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    monkeypatch.setattr(app.extensions["headrace"], "allow_loopback_clusters", True)
    with serving() as server:
        yield server


def tick(keeper: Keeper) -> Any:
    return keeper.do(LookForProblems())


def break_a_deployment(cluster: RestCluster) -> None:
    """Let a deployment have pods whose image does not exist."""
    cluster.apply(kinds.NAMESPACE, {"metadata": {"name": "shop"}}, manager="tests")
    body = workload("Deployment", "shop", "web", replicas=2)
    body["spec"]["template"]["metadata"]["annotations"] = {NEVER_READY: "true"}
    cluster.apply(kinds.DEPLOYMENT, body, manager="tests")
    eventually(lambda: len(list(cluster.list_page(kinds.POD, "shop").items)) == 2)
    for pod in cluster.list_page(kinds.POD, "shop").items:
        waiting = {"name": "main", "ready": False, "restartCount": 0, "image": "example/none"}
        status = {"phase": "Pending", "containerStatuses": [waiting | {"state": {"waiting": WAITS}}]}
        cluster.patch(kinds.POD, pod["metadata"]["name"], "shop", change={"status": status}, subresource="status")


def test_what_a_cluster_tells_is_a_problem_a_minute_later(
    client: FlaskClient, alice: Person, api_server: ApiServer, keeper: Keeper
) -> None:
    cluster = RestCluster(api_server.access(), rules=LOOPBACK)
    made = register(client, alice, api_server.access())
    keeper.drain()
    assert tick(keeper) == {"looked": 0, "opened": 0, "reopened": 0, "merged": 0, "resolved": 0}
    break_a_deployment(cluster)
    cluster.close()
    data_of(client.post(f"/api/v1/clusters/{made['id']}/health-check", headers=alice.headers), 202)
    keeper.drain()
    assert tick(keeper)["opened"] == 1
    assert tick(keeper)["opened"] == 0
    (problem,) = get(client, alice, "/sre/problems", cluster_id=made["id"])
    assert (problem["cause"]["kind"], problem["cause"]["evidence"]["observed"]["count"]) == ("ImagePullBackOff", 2)
    assert problem["cause"]["about"]["name"].startswith("web")


def test_alerts_and_anomalies_without_a_cluster_are_problems_of_their_organization(
    client: FlaskClient, alice: Person, keeper: Keeper, database: Database
) -> None:
    make_alert(database, alice.organization_id)
    make_anomaly(database, alice.organization_id, new_id())
    assert tick(keeper)["opened"] == 1
    (problem,) = get(client, alice, "/sre/problems")
    assert (problem["cause"]["source"], problem["cluster_id"], problem["title"]) == ("alert", None, "world")
    whole = get(client, alice, f"/sre/problems/{problem['id']}")
    assert [one["source"] for one in whole["signals"]] == ["alert"]


def test_an_alert_that_a_silence_mutes_opens_nothing(
    client: FlaskClient, alice: Person, keeper: Keeper, database: Database
) -> None:
    alert = make_alert(database, alice.organization_id)
    with database.transaction() as session:
        session.get_one(Alert, alert.id).labels = {"alertname": "world"}
    now = utc_now()
    silence = {"matchers": [{"label": "alertname", "value": "world"}], "comment": "new disks"}
    silence |= {"starts_at": (now - timedelta(hours=1)).isoformat(), "ends_at": (now + timedelta(hours=1)).isoformat()}
    silence |= {"organization_id": str(alice.organization_id)}
    data_of(client.post("/api/v1/silences", json=silence, headers=alice.headers), 201)
    assert tick(keeper)["opened"] == 0


def test_a_cluster_that_cannot_be_looked_at_keeps_no_other_from_it(
    client: FlaskClient, alice: Person, keeper: Keeper, database: Database
) -> None:
    strange = register(client, alice, Access("https://kube.example.com", token="t"), name="strange")
    make_alert(database, alice.organization_id)
    with database.transaction() as session:
        session.get_one(Cluster, UUID(strange["id"])).connect("v1.31.0")
        scene = Scene(utc_now())
        body = scene.get("ResourceQuota", "ops", "team")
        body["status"]["hard"] = {"requests.cpu": "NaN", "pods": "1e99999", "cpu": "1e-99999", "x": "0"}
        pod = scene.pods("shop", "web")[0]
        pod["status"]["containerStatuses"] = [{"name": "main", "restartCount": 2**52}] * 20
        scene.get("Certificate", "shop", "web-tls")["status"]["notAfter"] = "0001-01-01T00:00:00+14:00"
        record_inventory(session, UUID(strange["id"]), scene.observe() | {"events": Observed(error="no")}, CheckRules())
    assert tick(keeper) == {"looked": 2, "opened": 1, "reopened": 0, "merged": 0, "resolved": 0}


def test_an_alert_is_about_a_cluster_by_its_label_unless_it_lies_in_a_workspace(
    client: FlaskClient, alice: Person, charlie: Person, keeper: Keeper, database: Database
) -> None:
    mine = register(client, alice, Access("https://kube.example.com", token="t"))["id"]
    theirs = register(client, charlie, Access("https://kube.example.org", token="t"), name="theirs")["id"]
    with database.transaction() as session:
        session.get_one(Cluster, UUID(mine)).connect("v1.31.0")
        session.get_one(Cluster, UUID(theirs)).connect("v1.31.0")
    workspace = make_workspace(database, alice)
    make_alert(database, alice.organization_id, "on mine", labels={"cluster_id": mine})
    make_alert(database, alice.organization_id, "in workspace", labels={"cluster_id": mine}, workspace_id=workspace.id)
    make_alert(database, alice.organization_id, "on theirs", labels={"cluster_id": theirs})
    make_alert(database, alice.organization_id, "on another", labels={"cluster_id": "prod-eu"})
    assert tick(keeper)["opened"] == 4
    found = {one["title"]: (one["cluster_id"], one["workspace_id"]) for one in get(client, alice, "/sre/problems")}
    assert found == {
        "on mine": (mine, None),
        "in workspace": (None, str(workspace.id)),
        "on theirs": (None, None),
        "on another": (None, None),
    }
    assert get(client, charlie, "/sre/problems") == []


def test_kinds_that_are_not_read_to_their_end_are_not_told_of(
    client: FlaskClient, alice: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster_id = UUID(register(client, alice, Access("https://kube.example.com", token="t"))["id"])
    with database.transaction() as session:
        session.get_one(Cluster, cluster_id).connect("v1.31.0")
        record_inventory(session, cluster_id, Scene(utc_now()).observe(), CheckRules())
    with database.transaction() as session:
        whole = observation_of(session, cluster_id, utc_now())
        assert whole is not None
        assert {"certificates", "deployments", "nodes", "services"} <= whole.fresh
        monkeypatch.setattr(observation, "MOST", len(whole.objects["certificates"]) + 1)
        cut = observation_of(session, cluster_id, utc_now())
    assert cut is not None
    assert cut.fresh == {"certificates"}


def test_more_samples_than_can_be_read_hide_nothing_else(
    client: FlaskClient, alice: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster_id, scene = register(client, alice, Access("https://kube.example.com", token="t"))["id"], Scene(utc_now())
    lose_node(scene, "n2")
    with database.transaction() as session:
        session.get_one(Cluster, UUID(cluster_id)).connect("v1.31.0")
        record_inventory(session, UUID(cluster_id), scene.observe(), CheckRules())
    labels = {"namespace": "shop", "persistentvolumeclaim": "data-db-0"}
    used = [[scene.now.timestamp() - n, 99.0] for n in range(20)]
    names = ("kubelet_volume_stats_used_bytes", "kubelet_volume_stats_capacity_bytes")
    write(client, alice, *(series(name, used, **labels) for name in names), cluster_id=cluster_id)
    later = scene.now + timedelta(minutes=2)
    for most, full in ((1000, {"VolumeNearlyFull"}), (10, set())):
        monkeypatch.setattr(reading, "MOST_READ", most)
        with database.transaction() as session:
            found = look_at_cluster(session, UUID(cluster_id), now=later, with_usage=True)
        assert found is not None
        assert {"NodeNotReady"} | full <= {one.kind for one in found.signals}
        assert ("VolumeNearlyFull" in found.looked_at) == bool(full)


def test_labels_name_things_by_what_is_known_of_the_cluster() -> None:
    scene = Scene(utc_now())
    topology = Topology({kind: one.items for kind, one in scene.observe().items()})
    pod = scene.pods("shop", "web")[0]["metadata"]["name"]
    read = [str(one) for one in topology.read({"namespace": "shop", "pod": pod, "instance": "10.0.0.9:80"})]
    assert read[:3] == ["Deployment shop/web", f"Pod shop/{pod}", "Namespace shop/shop"]
    assert any(one.startswith("Node n") for one in read)
    assert str(topology.read({"instance": "10.0.0.2:9100"})[0]) == "Node n2"
    assert str(topology.read({"namespace": "shop", "service": "cart"})[0]) == "Deployment shop/cart"
    assert str(topology.read({"namespace": "ops", "job_name": "nightly-100"})[0]) == "CronJob ops/nightly"
    assert str(topology.read({"namespace": "shop", "pod": "db-0"})[1]) == "Pod shop/db-0"
    assert topology.read({"severity": "critical"}) == []


def test_names_of_pods_that_are_gone_tell_whose_they_were() -> None:
    assert str(guess_workload("a", "web-7d9f8c6b5d-x2x4z")) == "Deployment a/web"
    assert str(guess_workload("a", "db-11")) == "StatefulSet a/db"
    assert str(guess_workload("a", "single")) == "Pod a/single"
    assert labels_in('cpu{pod="web\\"1",x="a,b"}') == {"pod": 'web"1', "x": "a,b"}
