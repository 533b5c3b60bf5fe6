"""Workspaces on a cluster: suspended, resumed, given another plan, upgraded, deleted; and what is refused meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from app.clusters import Cluster
from app.tenancy import ask_to_reconcile
from tasks.clusters.gateways.kubernetes import Object, QuotaExceeded, kinds
from tests.clusters.contract.world import pod, workload
from tests.support.identity import data_of, error_of
from tests.support.kubernetes import ApiServer
from tests.support.places import Yard

pytestmark = pytest.mark.slow

SMALL = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}}


def replicas(yard: Yard, kind: Any, namespace: str) -> int:
    return int(yard.cluster.get(kind, "w", namespace)["spec"]["replicas"])


def do(yard: Yard, method: str, path: str, body: Object | None = None) -> Any:
    """Ask for something that a job does, and let it be done."""
    told = data_of(yard.ask(method, path, body), 202)
    yard.work()
    return yard.job(told["job_id"])


def test_a_suspended_workspace_runs_nothing_and_comes_back_as_it_was(yard: Yard, server: ApiServer) -> None:
    found = yard.placed()
    path, space = f"/workspaces/{found['id']}", found["namespace"]
    yard.cluster.create(kinds.DEPLOYMENT, workload("Deployment", space, replicas=3))
    yard.cluster.create(kinds.STATEFUL_SET, workload("StatefulSet", space, replicas=2))
    server.controllers.settle()
    assert do(yard, "POST", f"{path}/suspend").status == "succeeded"
    assert yard.workspace(found["id"])["status"] == "suspended"
    assert [replicas(yard, kind, space) for kind in (kinds.DEPLOYMENT, kinds.STATEFUL_SET)] == [0, 0]
    assert not yard.cluster.list_page(kinds.POD, space).items
    with pytest.raises(QuotaExceeded):
        yard.cluster.create(kinds.POD, pod(space, resources=SMALL))
    assert do(yard, "POST", f"{path}/resume").status == "succeeded"
    assert yard.workspace(found["id"])["status"] == "active"
    assert [replicas(yard, kind, space) for kind in (kinds.DEPLOYMENT, kinds.STATEFUL_SET)] == [3, 2]
    assert not yard.cluster.get(kinds.DEPLOYMENT, "w", space)["metadata"].get("annotations")


@pytest.mark.parametrize("written", ["9" * 5000, "99999999999", "many", "-3", "٣"])
def test_what_a_tenant_writes_as_replicas_keeps_no_workspace_asleep(yard: Yard, written: str) -> None:
    found = yard.placed()
    path, space = f"/workspaces/{found['id']}", found["namespace"]
    yard.cluster.create(kinds.DEPLOYMENT, workload("Deployment", space, replicas=1))
    do(yard, "POST", f"{path}/suspend")
    note = {"metadata": {"annotations": {"tenancy.headrace/replicas": written}}}
    yard.cluster.patch(kinds.DEPLOYMENT, "w", space, change=note)
    assert do(yard, "POST", f"{path}/resume").status == "succeeded"
    assert replicas(yard, kinds.DEPLOYMENT, space) == 0


def test_projects_sleep_with_their_workspace(yard: Yard, server: ApiServer) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front")
    yard.cluster.create(kinds.DEPLOYMENT, workload("Deployment", project["namespace"], replicas=2))
    do(yard, "POST", f"/workspaces/{found['id']}/suspend")
    assert replicas(yard, kinds.DEPLOYMENT, project["namespace"]) == 0
    do(yard, "POST", f"/workspaces/{found['id']}/resume")
    assert replicas(yard, kinds.DEPLOYMENT, project["namespace"]) == 2


def test_a_suspended_workspace_says_so_to_who_wants_something_of_its_cluster(yard: Yard) -> None:
    found = yard.placed()
    path = f"/workspaces/{found['id']}"
    do(yard, "POST", f"{path}/suspend")
    for method, end, body in (
        ("GET", "/kubeconfig", None),
        ("POST", "/projects", {"name": "p"}),
        ("POST", "/suspend", None),
    ):
        assert error_of(yard.ask(method, path + end, body), 403)["code"] == "WORKSPACE_SUSPENDED"


@pytest.mark.parametrize("act", ["suspend", "resume", "upgrade"])
def test_a_workspace_that_is_not_ready_says_so(yard: Yard, act: str) -> None:
    made = yard.place()
    for workspace_id in (made["id"], data_of(yard.ask("POST", "/workspaces", {"name": "No cluster"}), 201)["id"]):
        error = error_of(yard.ask("POST", f"/workspaces/{workspace_id}/{act}"), 409)
        assert (error["code"], error["details"]["workspace_id"]) == ("WORKSPACE_NOT_READY", workspace_id)


def test_two_operations_at_once_are_refused(yard: Yard) -> None:
    found = yard.placed()
    first = data_of(yard.ask("POST", f"/workspaces/{found['id']}/suspend"), 202)
    for method, end in (("POST", "/suspend"), ("POST", "/upgrade"), ("DELETE", "")):
        error = error_of(yard.ask(method, f"/workspaces/{found['id']}{end}"), 409)
        assert (error["code"], error["details"]["job_id"]) == ("INVALID_STATE", first["job_id"])


def test_another_plan_is_another_quota(yard: Yard) -> None:
    found = yard.placed()
    job = do(yard, "PATCH", f"/workspaces/{found['id']}", {"plan": "pro", "name": "Shop"})
    assert job.status == "succeeded"
    hard = yard.cluster.get(kinds.RESOURCE_QUOTA, "headrace", found["namespace"])["spec"]["hard"]
    after = yard.workspace(found["id"])
    assert (after["plan"], after["name"], hard["requests.cpu"]) == ("pro", "Shop", "32")


def test_a_plan_below_what_is_used_is_refused_and_all_stays_as_it_was(yard: Yard, server: ApiServer) -> None:
    found = yard.placed(plan="pro")
    large = {"requests": {"cpu": "5", "memory": "1Gi"}, "limits": {"cpu": "5", "memory": "1Gi"}}
    yard.cluster.create(kinds.POD, pod(found["namespace"], resources=large))
    server.controllers.settle()
    job = do(yard, "PATCH", f"/workspaces/{found['id']}", {"plan": "free"})
    assert (job.status, job.error["code"]) == ("failed", "QUOTA_BELOW_USE")
    hard = yard.cluster.get(kinds.RESOURCE_QUOTA, "headrace", found["namespace"])["spec"]["hard"]
    after = yard.workspace(found["id"])
    assert (after["plan"], after["status"], hard["requests.cpu"]) == ("pro", "active", "32")


def test_the_status_of_a_workspace_on_a_cluster_is_not_for_writing(yard: Yard) -> None:
    found = yard.placed()
    refused = yard.ask("PATCH", f"/workspaces/{found['id']}", {"status": "inactive"})
    assert error_of(refused, 422)["errors"][0]["field"] == "status"
    replaced = data_of(yard.ask("PUT", f"/workspaces/{found['id']}", {"name": "Shop"}))
    assert (replaced["name"], replaced["status"]) == ("Shop", "active")


def test_an_upgrade_brings_back_what_the_platform_keeps_there(yard: Yard) -> None:
    found = yard.placed()
    yard.cluster.delete(kinds.NETWORK_POLICY, "headrace-default-deny", found["namespace"])
    assert do(yard, "POST", f"/workspaces/{found['id']}/upgrade").status == "succeeded"
    assert yard.has(kinds.NETWORK_POLICY, "headrace-default-deny", found["namespace"])


def test_a_deleted_workspace_leaves_nothing_on_its_cluster(yard: Yard) -> None:
    found = yard.placed()
    yard.project(found["id"], "front")
    told = data_of(yard.ask("DELETE", f"/workspaces/{found['id']}"), 202)
    assert told["status"] == "deleting"
    yard.work()
    assert yard.job(told["job_id"]).status == "succeeded"
    error_of(yard.ask("GET", f"/workspaces/{found['id']}"), 404)
    assert yard.namespaces() == []
    assert [event["workspace_id"] for event in yard.events("workspace.deleted")] == [found["id"]]


def test_a_workspace_on_a_cluster_that_is_gone_is_abandoned_and_cleared_away_should_it_come_back(yard: Yard) -> None:
    found = yard.placed()
    yard.project(found["id"], "front")
    path = f"/workspaces/{found['id']}/abandon"
    assert error_of(yard.ask("POST", path), 409)["code"] == "WORKSPACE_NOT_READY"
    set_status(yard, "disconnected")
    told = data_of(yard.ask("DELETE", f"/workspaces/{found['id']}"), 202)
    assert yard.ask("POST", path).status_code == 204
    error_of(yard.ask("GET", f"/workspaces/{found['id']}"), 404)
    yard.work()
    assert (yard.job(told["job_id"]).error or {})["code"] == "TAKEN_OVER"
    assert len(yard.namespaces()) == 3
    set_status(yard, "connected")
    with yard.database.transaction() as session:
        assert ask_to_reconcile(session) == 1
    yard.work()
    assert yard.namespaces() == []


def set_status(yard: Yard, status: str) -> None:
    with yard.database.transaction() as session:
        session.execute(update(Cluster).values(status=status))


def test_what_holds_a_namespace_is_told(yard: Yard, server: ApiServer) -> None:
    found = yard.placed()
    held = {"metadata": {"name": "held", "namespace": found["namespace"], "finalizers": ["example.com/wait"]}}
    yard.cluster.create(kinds.CONFIG_MAP, held)
    told = data_of(yard.ask("DELETE", f"/workspaces/{found['id']}"), 202)
    with pytest.raises(AssertionError, match="does not come to an end"):
        yard.work(3)
    job = yard.job(told["job_id"])
    assert "example.com/wait in 1 resource instances" in (job.message or "")
    assert "example.com/wait" in yard.workspace(found["id"])["provisioning"]["waiting_for"]
    yard.cluster.patch(kinds.CONFIG_MAP, "held", found["namespace"], change={"metadata": {"finalizers": None}})
    yard.work()
    assert yard.job(told["job_id"]).status == "succeeded"
