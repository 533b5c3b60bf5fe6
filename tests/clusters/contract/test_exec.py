"""Commands in containers: who may run them and where, and, by a node that runs them on this machine, that a real API
server passes on what is said in both directions. The server in memory runs them in tests/pipelines/gateways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.clusters.gateways.kubernetes import AccessDenied, ObjectInvalid, ObjectNotFound, RestCluster, kinds
from tests.clusters.contract.world import World, binding, eventually, pod
from tests.support.kubernetes import NEVER_READY
from tests.support.kubernetes.node import listening_node


def execute(cluster: RestCluster, space: str, name: str = "p", container: str = "main") -> None:
    with cluster.execute(name, space, ["true"], container=container):
        raise AssertionError("there is no kubelet")


def test_a_pod_that_is_not_there_runs_nothing(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectNotFound):
        execute(cluster, space, "nobody")


def test_a_pod_without_a_node_runs_nothing(cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.POD, pod(space, annotations={NEVER_READY: "yes"}))
    with pytest.raises(ObjectInvalid, match="does not have a host assigned"):
        execute(cluster, space)


def test_a_container_that_the_pod_does_not_have_is_refused(cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.POD, pod(space, annotations={NEVER_READY: "yes"}))
    with pytest.raises(ObjectInvalid, match="container other is not valid for pod p"):
        execute(cluster, space, container="other")


def test_only_who_may_runs_something(world: World, space: str) -> None:
    world.admin.create(kinds.POD, pod(space, annotations={NEVER_READY: "yes"}))
    with pytest.raises(AccessDenied):
        execute(world.bob, space)
    user = {"kind": "User", "name": "bob"}
    world.admin.create(kinds.ROLE_BINDING, binding(space, "view", **user))
    eventually(lambda: world.bob.can_i("get", kinds.POD, space))
    with pytest.raises(AccessDenied):
        execute(world.bob, space)
    world.admin.create(kinds.ROLE_BINDING, binding(space, "edit", **user))
    eventually(lambda: world.bob.can_i("get", kinds.POD, space, subresource="exec"))
    with pytest.raises(ObjectInvalid, match="host"):
        execute(world.bob, space)


@pytest.fixture
def running(world: World, space: str) -> Iterator[str]:
    """The namespace of a pod `p` on a node that runs commands."""
    if not world.is_real:
        pytest.skip("there is no node behind this server; see tests/pipelines/gateways")
    with listening_node() as port:
        endpoints = {"kubeletEndpoint": {"Port": port}}
        status = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "daemonEndpoints": endpoints}
        world.admin.patch(kinds.NODE, "n1", change={"status": status}, subresource="status")
        world.admin.create(kinds.POD, pod(space))
        eventually(lambda: world.admin.get(kinds.POD, "p", space)["status"].get("phase") == "Running")
        yield space


def test_both_streams_the_input_and_the_exit_code_pass_through(cluster: RestCluster, running: str) -> None:
    script = "echo begun; echo wrong >&2; head -c 300000 | wc -c; exit 7"
    heard: dict[str, bytes] = {"stdout": b"", "stderr": b""}
    with cluster.execute("p", running, ["/bin/sh", "-c", script], container="main") as execution:
        execution.send(b"x" * 300_000)
        while execution.ended is None:
            for stream, data in execution.read(0.2):
                heard[stream] += data
    assert (heard["stdout"].split(), heard["stderr"]) == ([b"begun", b"300000"], b"wrong\n")
    assert execution.ended.exit_code == 7


def test_leaving_ends_the_input_of_what_runs(cluster: RestCluster, running: str, tmp_path: Path) -> None:
    script = f"echo begun; cat >/dev/null; touch {tmp_path}/ended"
    with cluster.execute("p", running, ["/bin/sh", "-c", script], container="main") as execution:
        while not execution.read(0.2):
            pass
    eventually((tmp_path / "ended").exists)


def test_much_output_arrives_whole(cluster: RestCluster, running: str) -> None:
    size = 0
    with cluster.execute("p", running, ["/bin/sh", "-c", "head -c 20000000 /dev/zero"], container="main") as execution:
        while execution.ended is None:
            size += sum(len(data) for _, data in execution.read(0.2))
    assert size == 20_000_000
