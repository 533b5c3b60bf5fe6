"""A cluster on a running platform: registered, swept over as beat asks for it, written to, lost, found and removed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from launcher.procfile import read_procfile
from tests.support.callers import Reply, User
from tests.support.clusters import parts_of
from tests.support.kubernetes import ApiServer, serving
from tests.support.platform import Platform, wait_for
from tests.support.servers import ROOT, Servers

# What beat asks for is accepted by a worker of the default queue.
NAMES = ("web", "worker-clusters", "worker-default", "relay", "beat")
QUICK = {
    "ALLOW_LOOPBACK_CLUSTERS": "true",
    "CLUSTER_CHECK_SECONDS": "2",
    "CLUSTER_CHECK_TIMEOUT_SECONDS": "1",
    "CLUSTER_CHECK_LONGEST_SECONDS": "2",
    "CLUSTER_INVENTORY_SECONDS": "2",
}
# Beat asks for the first sweep after a minute.
A_SWEEP = 100.0
GREETING = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting}\ndata: {hello: world}\n"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    servers = Servers.started()
    procfile = read_procfile(ROOT / "Procfile")
    try:
        commands = {name: procfile[name] for name in NAMES}
        with Platform(tmp_path_factory.mktemp("clusters"), servers, commands, **QUICK).running() as platform:
            yield platform
    finally:
        servers.stop()


@pytest.fixture
def api_server() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


def finish(user: User, reply: Reply) -> dict[str, Any]:
    """Wait for the job of a 202, and return it."""
    job_id = reply.data(202)["job_id"]

    def ended() -> dict[str, Any] | None:
        job: dict[str, Any] = user.get(f"/jobs/{job_id}?wait=5").data()
        return job if job["finished_at"] else None

    return wait_for(ended, 60)


@pytest.mark.timeout(400)
def test_a_cluster_is_watched_written_to_lost_and_found(platform: Platform, api_server: ApiServer) -> None:
    alice = User.registered(platform.base, "keeper")
    registered = alice.post("/clusters", {"name": "production", **parts_of(api_server.access())})
    cluster = f"/clusters/{registered.data(202)['id']}"
    assert finish(alice, registered)["status"] == "succeeded"
    assert alice.get(cluster).data()["status"] == "connected"

    def has_status(status: str) -> bool:
        return bool(alice.get(cluster).data()["status"] == status)

    applied = finish(alice, alice.post(f"{cluster}/apply", {"manifests": GREETING}))
    assert [one["outcome"] for one in applied["result"]["objects"]] == ["created"]

    checked = alice.get(cluster).data()["last_checked_at"]
    wait_for(lambda: alice.get(cluster).data()["last_checked_at"] != checked, A_SWEEP)
    api_server.faults.add("black hole")
    wait_for(lambda: has_status("error"), A_SWEEP)
    assert alice.get(f"{cluster}/health").data()["step"] == "answer"
    assert "default" in [one["name"] for one in alice.get(f"{cluster}/namespaces").data()]
    platform.kill("worker-clusters")
    api_server.faults.clear()
    platform.start("worker-clusters")
    wait_for(lambda: has_status("connected"), A_SWEEP)

    assert finish(alice, alice.send("DELETE", cluster))["status"] == "succeeded"
    assert alice.get(cluster).status == 404
