"""What somebody else changes on the cluster is found, set right and told; what is used is read on the way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from app import jobs
from app.clusters import Cluster
from app.jobs import Job
from app.kernel.clock import utc_now
from app.tenancy import ReconcileHost, ask_to_reconcile
from tasks.clusters.gateways.kubernetes import kinds
from tests.clusters.contract.world import pod
from tests.support.identity import data_of
from tests.support.kubernetes import ApiServer
from tests.support.places import Yard


def look(yard: Yard) -> dict[str, Any]:
    """Let a worker look at the cluster."""
    with yard.database.transaction() as session:
        job_id = jobs.accept(session, ReconcileHost(yard.cluster_id))
    yard.work()
    job = yard.job(str(job_id))
    assert job.status == "succeeded", job.error
    return dict(job.result or {})


def repairs(yard: Yard, workspace_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data_of(yard.ask("GET", f"/workspaces/{workspace_id}/repairs"))
    return found


def test_without_a_change_nothing_is_repaired(yard: Yard) -> None:
    found = yard.placed()
    assert look(yard) == {"workspaces": 1, "repaired": 0, "placed_again": 0, "removed": 0}
    assert repairs(yard, found["id"]) == []


def test_what_was_deleted_is_made_again_and_told(yard: Yard) -> None:
    found = yard.placed()
    space = found["namespace"]
    yard.cluster.delete(kinds.RESOURCE_QUOTA, "headrace", space)
    yard.cluster.delete(kinds.NETWORK_POLICY, "headrace-default-deny", space)
    assert look(yard)["repaired"] == 2
    assert yard.has(kinds.RESOURCE_QUOTA, "headrace", space)
    told = {(one["kind"], one["name"], one["what"]) for one in repairs(yard, found["id"])}
    assert told == {
        ("ResourceQuota", "headrace", "missing"),
        ("NetworkPolicy", "headrace-default-deny", "missing"),
    }
    assert {event["kind"] for event in yard.events("workspace.repaired")} == {"ResourceQuota", "NetworkPolicy"}
    assert look(yard)["repaired"] == 0


def test_what_was_changed_is_set_right_and_who_changed_it_is_told(yard: Yard) -> None:
    found = yard.placed()
    space = found["namespace"]
    hard = {"spec": {"hard": {"requests.cpu": "500"}}, "metadata": {"name": "headrace", "namespace": space}}
    yard.cluster.apply(kinds.RESOURCE_QUOTA, hard, manager="somebody", force=True)
    assert look(yard)["repaired"] == 1
    quota = yard.cluster.get(kinds.RESOURCE_QUOTA, "headrace", space)
    assert quota["spec"]["hard"]["requests.cpu"] == "8"
    (repair,) = repairs(yard, found["id"])
    assert (repair["what"], repair["managers"]) == ("changed", ["somebody"])
    assert repair["fields"] == ["spec.hard.requests.cpu"]


def test_what_was_added_to_a_policy_is_taken_out_again(yard: Yard) -> None:
    found = yard.placed()
    space = found["namespace"]
    change = {"spec": {"ingress": [{}]}}
    yard.cluster.patch(kinds.NETWORK_POLICY, "headrace-default-deny", space, change=change)
    assert look(yard)["repaired"] == 1
    assert not yard.cluster.get(kinds.NETWORK_POLICY, "headrace-default-deny", space)["spec"].get("ingress")
    assert look(yard)["repaired"] == 0


def test_a_stranger_who_was_bound_is_let_out_again(yard: Yard) -> None:
    found = yard.placed()
    space = found["namespace"]
    mallory = {"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"}
    binding = yard.cluster.get(kinds.ROLE_BINDING, "headrace-view", space)
    yard.cluster.replace(kinds.ROLE_BINDING, {**binding, "subjects": [mallory]})
    assert look(yard)["repaired"] == 1
    assert yard.subjects(space, "view") == []


def test_a_binding_to_another_role_is_made_anew(yard: Yard) -> None:
    found = yard.placed()
    space = found["namespace"]
    binding = yard.cluster.get(kinds.ROLE_BINDING, "headrace-view", space)
    yard.cluster.delete(kinds.ROLE_BINDING, "headrace-view", space)
    meta = {name: binding["metadata"][name] for name in ("name", "namespace", "labels")}
    yard.cluster.create(
        kinds.ROLE_BINDING, {"metadata": meta, "roleRef": binding["roleRef"] | {"name": "admin"}, "subjects": []}
    )
    assert look(yard)["repaired"] == 1
    assert yard.cluster.get(kinds.ROLE_BINDING, "headrace-view", space)["roleRef"]["name"] == "view"


def test_a_namespace_that_is_gone_is_made_again_with_all_that_is_in_it(yard: Yard, server: ApiServer) -> None:
    found = yard.placed()
    space = found["namespace"]
    yard.cluster.delete(kinds.NAMESPACE, space)
    server.controllers.settle()
    assert look(yard)["placed_again"] == 1
    assert (yard.has(kinds.NAMESPACE, space), yard.workspace(found["id"])["status"]) == (True, "active")
    assert yard.workspace(found["id"])["provisioning"]["operation"] == "repair"
    assert look(yard) == {"workspaces": 1, "repaired": 0, "placed_again": 0, "removed": 0}


def test_a_projects_namespace_that_is_gone_is_made_again_once(yard: Yard, server: ApiServer) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front", resource_quota={"cpu": "2"})
    yard.cluster.delete(kinds.NETWORK_POLICY, "headrace-dns", found["namespace"])
    yard.cluster.delete(kinds.NAMESPACE, project["namespace"])
    server.controllers.settle()
    told = look(yard)
    assert (told["placed_again"], told["repaired"]) == (1, 1)
    quota = yard.cluster.get(kinds.RESOURCE_QUOTA, "headrace", project["namespace"])
    assert quota["spec"]["hard"]["requests.cpu"] == "2"
    assert yard.subjects(project["namespace"], "admin")
    assert look(yard) == {"workspaces": 1, "repaired": 0, "placed_again": 0, "removed": 0}


def test_what_a_late_worker_left_over_is_removed_and_what_others_made_is_not(yard: Yard) -> None:
    found = yard.placed()
    data_of(yard.ask("DELETE", f"/workspaces/{found['id']}"), 202)
    provisioning = found["provisioning"]["id"]
    yard.work()
    labels = {"app.kubernetes.io/managed-by": "headrace", "tenancy.headrace/workspace": found["id"]}
    unknown = "0198c000-0000-7000-8000-000000000000"
    for name, made_by in (("late", provisioning), ("of-another-installation", unknown)):
        meta = {"name": name, "labels": labels | {"tenancy.headrace/provisioning": made_by}}
        yard.cluster.create(kinds.NAMESPACE, {"metadata": meta})
    yard.placed("Another")
    assert look(yard)["removed"] == 1
    assert (yard.has(kinds.NAMESPACE, "late"), yard.has(kinds.NAMESPACE, "of-another-installation")) == (False, True)


def test_a_cluster_is_looked_at_once_at_a_time_and_only_while_it_answers(yard: Yard) -> None:
    yard.placed()
    for _ in range(2):
        ask_for_all(yard)
    assert len(looks(yard)) == 1
    yard.work()
    with yard.database.transaction() as session:
        session.execute(update(Cluster).values(status="error"))
    ask_for_all(yard)
    assert [job.status for job in looks(yard)] == ["succeeded"]


def ask_for_all(yard: Yard) -> None:
    with yard.database.transaction() as session:
        ask_to_reconcile(session)


def looks(yard: Yard) -> list[Job]:
    with yard.database.transaction() as session:
        return list(session.scalars(select(Job).where(Job.kind == ReconcileHost.kind)))


def test_what_is_used_is_shown_with_the_time_it_was_seen(yard: Yard, server: ApiServer) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front", resource_quota={"cpu": "4", "memory": "8Gi"})
    half = {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    for namespace in (found["namespace"], project["namespace"]):
        yard.cluster.create(kinds.POD, pod(namespace, resources=half))
    server.controllers.settle()
    path = f"/workspaces/{found['id']}"
    assert data_of(yard.ask("GET", f"{path}/resource-usage"))["observed_at"] is None
    look(yard)
    whole = data_of(yard.ask("GET", f"{path}/resource-usage"))
    assert whole["observed_at"] is not None
    assert whole["resources"]["cpu"] == {"used": "4", "limit": "8", "percentage": 50.0}
    part = data_of(yard.ask("GET", f"{path}/projects/{project['id']}/resource-usage"))
    assert part["resources"]["cpu"] == {"used": "2", "limit": "4", "percentage": 50.0}


def test_of_a_fight_that_lasts_each_repair_is_kept_and_the_first_is_told(yard: Yard) -> None:
    found = yard.placed()
    hard = {"spec": {"hard": {"pods": "500"}}, "metadata": {"name": "headrace", "namespace": found["namespace"]}}
    hour = utc_now().hour
    for manager in ("other", "other", "third"):
        yard.cluster.apply(kinds.RESOURCE_QUOTA, hard, manager=manager, force=True)
        assert look(yard)["repaired"] == 1
    assert [one["managers"] for one in reversed(repairs(yard, found["id"]))] == [["other"], ["other"], ["third"]]
    told = [event["managers"] for event in yard.events("workspace.repaired")]
    assert told == [["other"], ["third"]] or utc_now().hour != hour
