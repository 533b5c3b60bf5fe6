"""The decisive walk, on the API server in memory always, and on a real one where one can be started (`make kube`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

from app import jobs
from app.clusters import Access
from app.kernel.db import Database
from app.tenancy import ReconcileHost
from app.tenancy.routes import places
from config.settings import Settings
from tasks.clusters.gateways.kubernetes import AccessDenied, RestCluster, kinds
from tests.clusters.contract.conftest import SERVERS
from tests.clusters.contract.world import World, config_map, eventually, in_memory, pod, really, workload
from tests.support.identity import data_of, make_person
from tests.support.places import LOOPBACK, Yard, make_cluster, make_tools

pytestmark = pytest.mark.slow

PATIENCE = 90.0


@pytest.fixture(scope="module", params=SERVERS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server."""
    with in_memory() if request.param == "memory" else really(tmp_path_factory.mktemp("kube")) as world:
        yield world


@pytest.fixture
def yard(app: Flask, client: FlaskClient, database: Database, settings: Settings, tmp_path: Path, world: World) -> Yard:
    """The server, as Alice's cluster."""
    alice = make_person(app, database, "alice")
    cluster_id = make_cluster(app, database, alice, world.access)
    loose = make_tools(settings, tmp_path)
    return Yard(client, database, loose, alice, cluster_id, world.access, world.admin)


def until(yard: Yard, is_so: Callable[[], Any]) -> Any:
    """Let workers work, turn by turn, until it is so."""
    ends = time.monotonic() + PATIENCE
    while not (said := is_so()):
        assert time.monotonic() < ends, "it does not come about"
        yard.make_due()
        yard.turn()
        time.sleep(0.1)
    return said


def do(yard: Yard, method: str, path: str, body: Any = None) -> Any:
    """Ask for something that a job does, and let it succeed."""
    told = data_of(yard.ask(method, path, body), 202)
    job = until(yard, lambda: (found := yard.job(told["job_id"])).is_final and found)
    assert job.status == "succeeded", job.error
    return told


# A real namespace takes its time to go.
@pytest.mark.timeout(400)
def test_a_workspace_lives_on_a_cluster_and_leaves_nothing(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LONGEST_SECONDS", 0.0)
    body = {"name": "Walk", "cluster_id": str(yard.cluster_id)}
    made = do(yard, "POST", "/workspaces", body)
    path, space = f"/workspaces/{made['id']}", made["namespace"]
    project = do(yard, "POST", f"{path}/projects", {"name": "front", "resource_quota": {"cpu": "4", "memory": "8Gi"}})
    hard = yard.cluster.get(kinds.RESOURCE_QUOTA, "headrace", space)["spec"]["hard"]
    assert hard["requests.cpu"] == "4"
    enter_and_try(yard, path, space)
    sleep_and_wake(yard, path, project["namespace"])
    drift_and_repair(yard, path, space)
    do(yard, "DELETE", path)
    assert [name for name in yard.namespaces() if made["id"][-12:] in name or project["id"][-12:] in name] == []


def enter_and_try(yard: Yard, path: str, space: str) -> None:
    """Alice may write in her namespace, and not even read elsewhere."""
    reply = until(yard, lambda: (said := yard.ask("GET", f"{path}/kubeconfig")).status_code == 200 and said)
    token = yaml.safe_load(reply.get_data(as_text=True))["users"][0]["user"]["token"]
    access = Access(yard.access.server, ca=yard.access.ca, token=token, verify=yard.access.verify)
    cluster = RestCluster(access, rules=LOOPBACK)
    try:
        cluster.create(kinds.CONFIG_MAP, config_map(space, "written"))
        cluster.create(kinds.POD, pod(space))
        for namespace in ("default", f"{space}-access"):
            with pytest.raises(AccessDenied):
                cluster.list_page(kinds.SECRET, namespace)
    finally:
        cluster.close()


def sleep_and_wake(yard: Yard, path: str, namespace: str) -> None:
    """What ran is scaled to nothing and back."""
    yard.cluster.create(kinds.DEPLOYMENT, workload("Deployment", namespace, replicas=2))
    eventually(lambda: replicas(yard, namespace, "status") == 2)
    do(yard, "POST", f"{path}/suspend")
    assert (replicas(yard, namespace, "spec"), replicas(yard, namespace, "status")) == (0, 0)
    do(yard, "POST", f"{path}/resume")
    assert replicas(yard, namespace, "spec") == 2


def replicas(yard: Yard, namespace: str, part: str) -> int:
    # A deployment has no status before its controller has looked at it.
    return int(yard.cluster.get(kinds.DEPLOYMENT, "w", namespace).get(part, {}).get("replicas", 0))


def drift_and_repair(yard: Yard, path: str, space: str) -> None:
    """What somebody changes by their own means is set right."""
    yard.cluster.delete(kinds.NETWORK_POLICY, "headrace-dns", space)
    change = {"spec": {"ingress": [{}]}}
    yard.cluster.patch(kinds.NETWORK_POLICY, "headrace-default-deny", space, change=change)
    binding = yard.cluster.get(kinds.ROLE_BINDING, "headrace-admin", space)
    mallory = {"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"}
    yard.cluster.replace(kinds.ROLE_BINDING, {**binding, "subjects": [*binding["subjects"], mallory]})
    for expected in (3, 0):
        with yard.database.transaction() as session:
            job_id = jobs.accept(session, ReconcileHost(yard.cluster_id))
        until(yard, lambda job_id=job_id: yard.job(str(job_id)).is_final)  # type: ignore[misc]
        assert (yard.job(str(job_id)).result or {})["repaired"] == expected
    assert len(data_of(yard.ask("GET", f"{path}/repairs"))) == 3
