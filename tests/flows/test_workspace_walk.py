"""Workspaces on a cluster, whole: over HTTP, with a worker process that dies or is called off in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import yaml

from launcher.procfile import read_procfile
from tests.support.callers import Listener, User
from tests.support.kubernetes import ApiServer, serving
from tests.support.platform import Platform, children_of, wait_for
from tests.support.servers import ROOT, Servers

PROCESSES = ("web", "stream", "worker-clusters", "relay")
SECONDS = 90.0

_numbers = count(1)
HERE = {
    "ALLOW_LOOPBACK_CLUSTERS": "true",
    "WORKER_CLUSTERS_CONCURRENCY": "2",
    "WEB_WORKERS": "1",
}


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, ApiServer]]:
    """A platform with a worker for clusters, and a cluster."""
    servers = Servers.started()
    procfile = read_procfile(ROOT / "Procfile")
    commands = {name: procfile[name] for name in PROCESSES}
    try:
        made = Platform(tmp_path_factory.mktemp("yard"), servers, commands, **HERE)
        with serving() as server, made.running() as platform:
            yield platform, server
    finally:
        servers.stop()


@pytest.fixture
def platform(yard: tuple[Platform, ApiServer]) -> Platform:
    """All of it running."""
    yard[0].ensure()
    return yard[0]


@pytest.fixture
def server(yard: tuple[Platform, ApiServer]) -> Iterator[ApiServer]:
    """The cluster, which does not fail any more when the test is over."""
    yield yard[1]
    yard[1].faults.clear()


@pytest.fixture
def alice(platform: Platform) -> User:
    """Somebody new."""
    return User.registered(platform.base, f"placer{next(_numbers)}")


@pytest.fixture
def cluster_id(alice: User, server: ApiServer) -> str:
    """The cluster, registered by Alice and connected."""
    access = server.access()
    body = {"name": "host", "server": access.server, "ca": access.ca, "token": access.token}
    made = alice.post("/clusters", body).data(202)
    wait_for(lambda: alice.get(f"/clusters/{made['id']}").data()["status"] == "connected", SECONDS)
    return str(made["id"])


def place(alice: User, cluster_id: str) -> Any:
    return alice.post("/workspaces", {"name": "Walk", "cluster_id": cluster_id}).data(202)


def ended(alice: User, workspace_id: str, *statuses: str) -> Any:
    """Read a workspace until nothing is being done to it any more."""

    def look() -> Any:
        found = alice.get(f"/workspaces/{workspace_id}").data()
        return (
            found
            if found["status"] in statuses and found["provisioning"]["status"] not in ("running", "undoing")
            else None
        )

    return wait_for(look, SECONDS)


def reach(alice: User, workspace_id: str, phase: str) -> None:
    """Wait until a phase is under way."""

    def reached() -> bool:
        return bool(alice.get(f"/workspaces/{workspace_id}").data()["provisioning"]["phase"] == phase)

    wait_for(reached, SECONDS)


def ours(server: ApiServer, workspace_id: str) -> list[str]:
    """Return the namespaces on the cluster that are a workspace's."""
    with server.store.lock:
        return [
            one["metadata"]["name"]
            for one in server.store.list("namespaces.")
            if (one["metadata"].get("labels") or {}).get("tenancy.headrace/workspace") == workspace_id
        ]


def test_a_workspace_is_placed_entered_and_taken_away(alice: User, server: ApiServer, cluster_id: str) -> None:
    made = place(alice, cluster_id)
    job = Listener(alice, f"/jobs/{made['job_id']}/events")
    found = ended(alice, made["id"], "active")
    phases = [heard.data["data"]["progress"]["phase"] for heard in job.end(SECONDS) if heard.type == "job.progress"]
    assert next(iter(phases)) == "namespace"
    kubeconfig = alice.get(f"/workspaces/{made['id']}/kubeconfig")
    assert kubeconfig.status == 200, kubeconfig.body
    assert yaml.safe_load(kubeconfig.body)["contexts"][0]["context"]["namespace"] == found["namespace"]
    gone = alice.send("DELETE", f"/workspaces/{made['id']}").data(202)
    wait_for(lambda: alice.get(f"/jobs/{gone['job_id']}").data()["status"] == "succeeded", SECONDS)
    assert ours(server, made["id"]) == []


def test_a_worker_that_is_killed_in_a_phase_is_followed_by_another(
    platform: Platform, alice: User, server: ApiServer, cluster_id: str
) -> None:
    fault = server.faults.add("delay", method="PATCH", path="/apis/networking.k8s.io/", seconds=60.0)
    made = place(alice, cluster_id)
    reach(alice, made["id"], "network_policy")
    for child in children_of(platform.pid("worker-clusters")):
        os.kill(child, signal.SIGKILL)
    platform.kill("worker-clusters")
    fault.times = 0
    server.faults.clear()
    platform.start("worker-clusters")
    found = ended(alice, made["id"], "active", "failed")
    assert found["status"] == "active", found
    assert alice.get(f"/jobs/{made['job_id']}").data()["attempt"] > 1


def test_a_cancel_in_a_phase_ends_the_job_and_takes_all_of_it_back(
    alice: User, server: ApiServer, cluster_id: str
) -> None:
    server.faults.add("delay", method="PATCH", path="/apis/networking.k8s.io/", seconds=60.0)
    made = place(alice, cluster_id)
    reach(alice, made["id"], "network_policy")
    alice.post(f"/jobs/{made['job_id']}/cancel").data(202)
    wait_for(lambda: alice.get(f"/jobs/{made['job_id']}").data()["status"] == "cancelled", 10)
    server.faults.clear()
    found = ended(alice, made["id"], "failed")
    assert found["provisioning"]["status"] == "cancelled"
    assert ours(server, made["id"]) == []
