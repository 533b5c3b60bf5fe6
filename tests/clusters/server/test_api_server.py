"""What the server in memory does for tests that a real one does not: it fails, forgets and holds still on demand."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.clusters import Access, read_kubeconfig, write_kubeconfig
from app.clusters.access import AccessRules
from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes import (
    AccessDenied,
    ClusterAway,
    HistoryGone,
    Limits,
    NotAuthenticated,
    RestCluster,
    kinds,
    list_all,
)
from tests.clusters.contract.world import config_map, eventually, pod, refusal, workload
from tests.support.kubernetes import NEVER_READY, ApiServer, black_hole, farming, serving

LOOPBACK = AddressRules(allow_loopback=True)
MAP = kinds.CONFIG_MAP


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


@pytest.fixture
def cluster(server: ApiServer) -> Iterator[RestCluster]:
    opened = RestCluster(server.access(), rules=LOOPBACK)
    yield opened
    opened.close()


def phase(cluster: RestCluster, name: str = "p") -> str:
    return str(cluster.get(kinds.POD, name, "default")["status"]["phase"])


def test_a_kubeconfig_opens_it(server: ApiServer) -> None:
    text = write_kubeconfig("memory", server.access())
    access = read_kubeconfig(text, AccessRules(LOOPBACK), now=datetime.now(UTC))
    cluster = RestCluster(access, rules=LOOPBACK)
    assert cluster.read_version().git_version == "v1.31.0"
    cluster.close()


def test_pods_wait_while_the_kubelet_is_off(server: ApiServer, cluster: RestCluster) -> None:
    server.controllers.switch(kubelet=False)
    cluster.create(kinds.POD, pod("default"))
    server.controllers.settle()
    assert phase(cluster) == "Pending"
    server.controllers.switch(kubelet=True)
    eventually(lambda: phase(cluster) == "Running", 5)


def test_a_pod_may_never_get_ready(server: ApiServer, cluster: RestCluster) -> None:
    cluster.create(kinds.POD, pod("default", annotations={NEVER_READY: "yes"}))
    server.controllers.settle()
    assert phase(cluster) == "Pending"
    cluster.delete(kinds.POD, "p", "default")
    eventually(lambda: refusal(lambda: phase(cluster)), 5)


def test_workloads_wait_while_they_are_switched_off(server: ApiServer, cluster: RestCluster) -> None:
    server.controllers.switch(workloads=False)
    cluster.create(kinds.DEPLOYMENT, workload("Deployment", "default"))
    server.controllers.settle()
    assert list(list_all(cluster, kinds.POD, "default")) == []


def test_a_new_template_replaces_the_pods(server: ApiServer, cluster: RestCluster) -> None:
    cluster.create(kinds.DEPLOYMENT, workload("Deployment", "default"))
    server.controllers.settle()
    cluster.apply(kinds.DEPLOYMENT, workload("Deployment", "default", image="example/new"), manager="m", force=True)
    eventually(lambda: _images(cluster) == ["example/new"], 5)


def _images(cluster: RestCluster) -> list[str]:
    return [one["spec"]["containers"][0]["image"] for one in list_all(cluster, kinds.POD, "default")]


def test_history_is_forgotten_on_demand(server: ApiServer, cluster: RestCluster) -> None:
    for number in range(3):
        cluster.create(MAP, config_map("default", f"c{number}"))
    page = cluster.list_page(MAP, "default", limit=1)
    server.forget_history()
    cluster.create(MAP, config_map("default", "later"))
    with pytest.raises(HistoryGone, match="too old resource version"):
        list(cluster.watch(MAP, "default", since=str(int(page.version) - 1), seconds=1))
    with pytest.raises(HistoryGone, match="continue parameter"):
        cluster.list_page(MAP, "default", more=page.more)


def test_bookmarks_come_as_often_as_a_test_wants(server: ApiServer, cluster: RestCluster) -> None:
    server.site.bookmark_seconds = 0.1
    since = cluster.list_page(MAP, "default").version
    changes = list(cluster.watch(MAP, "default", since=since, seconds=1))
    assert len(changes) > 3
    assert {change.type for change in changes} == {"BOOKMARK"}


def test_tokens_end_when_a_test_wants(server: ApiServer, cluster: RestCluster) -> None:
    server.api.token_seconds = 0.2
    token = cluster.request_token("default", "default", seconds=600)
    member = RestCluster(server.access(token.text), rules=LOOPBACK)
    with pytest.raises(AccessDenied):
        member.list_page(MAP, "default")
    time.sleep(0.3)
    with pytest.raises(NotAuthenticated):
        member.list_page(MAP, "default")
    member.close()


def test_a_fault_may_last_for_some_requests_of_one_kind(server: ApiServer, cluster: RestCluster) -> None:
    server.faults.add("answer", method="POST", path="/api/v1/namespaces/default/configmaps", status=500, times=2)
    assert cluster.is_ready()
    for _ in range(2):
        with pytest.raises(ClusterAway):
            cluster.create(MAP, config_map("default"))
    cluster.create(MAP, config_map("default"))


def test_all_of_a_kind_are_deleted_at_once(server: ApiServer, cluster: RestCluster) -> None:
    for number in range(3):
        cluster.create(MAP, config_map("default", f"c{number}", labels={"mine": "yes"}))
    ask(server, "DELETE", "/api/v1/namespaces/default/configmaps?labelSelector=mine")
    assert list(list_all(cluster, MAP, "default", labels="mine")) == []


def test_somebody_elses_rights_can_be_asked_for(server: ApiServer, cluster: RestCluster) -> None:
    attributes = {"verb": "get", "resource": "pods", "namespace": "default"}
    body = {"spec": {"user": "bob", "resourceAttributes": attributes}}
    told = ask(server, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    assert told["status"] == {"allowed": False}


def test_clients_discover_what_there_is(server: ApiServer) -> None:
    assert ask(server, "GET", "/api")["versions"] == ["v1"]
    groups = [group["name"] for group in ask(server, "GET", "/apis")["groups"]]
    assert "apps" in groups
    assert "rbac.authorization.k8s.io" in groups
    names = [entry["name"] for entry in ask(server, "GET", "/apis/apps/v1")["resources"]]
    assert "deployments" in names


def test_objects_of_a_custom_kind_go_with_their_namespace(server: ApiServer, cluster: RestCluster) -> None:
    cluster.create(kinds.NAMESPACE, {"metadata": {"name": "a"}})
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": "example.com",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True, "schema": schema}],
    }
    cluster.create(kinds.CUSTOM_RESOURCE_DEFINITION, {"metadata": {"name": "things.example.com"}, "spec": spec})
    thing = cluster.find_kind("example.com/v1", "Thing")
    cluster.create(thing, {"metadata": {"name": "one", "namespace": "a"}, "spec": {"any": ["thing"]}})
    cluster.delete(kinds.NAMESPACE, "a")
    eventually(lambda: refusal(lambda: cluster.get(kinds.NAMESPACE, "a")), 5)
    assert list(list_all(cluster, thing)) == []


def test_many_clusters_share_a_socket_and_nothing_else() -> None:
    with farming(50) as farm:
        farm.sites[7].faults.add("answer", status=503)
        for number in range(50):
            cluster = RestCluster(farm.access(number), rules=LOOPBACK)
            if number == 7:
                assert isinstance(refusal(cluster.read_version), ClusterAway)
            else:
                cluster.create(kinds.NAMESPACE, {"metadata": {"name": f"only-{number}"}})
                names = [one["metadata"]["name"] for one in list_all(cluster, kinds.NAMESPACE)]
                assert [name for name in names if name.startswith("only")] == [f"only-{number}"]
            cluster.close()


def test_nobody_gets_connected_to_a_black_hole() -> None:
    with black_hole() as port:
        limits = Limits(connect=0.5)
        cluster = RestCluster(Access(f"https://127.0.0.1:{port}", token="t"), rules=LOOPBACK, limits=limits)
        began = time.monotonic()
        with pytest.raises(ClusterAway, match="could not be connected to in time"):
            cluster.read_version()
        assert time.monotonic() - began < 2


def test_a_mistake_of_the_server_is_told_when_it_stops() -> None:
    server = ApiServer()
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, "GET", "/api/v1/pods?limit=many")
    caught.value.close()
    with pytest.raises(AssertionError, match="many"):
        server.stop()


def ask(server: ApiServer, method: str, target: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        server.url + target,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {server.admin_token}"},
    )
    context = ssl.create_default_context(cadata=server.authority.pem)
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        told: dict[str, Any] = json.loads(answer.read())
        return told
