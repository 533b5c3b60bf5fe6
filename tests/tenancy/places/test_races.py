"""What happens on a cluster, or to a workspace, while a worker looks at it: nobody is let in again, nothing is put
back, and nothing of anybody else is taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.kernel.clock import sql_seconds
from app.kernel.db import Database
from app.tenancy import Provisioning, Workspace, want_workspace
from app.tenancy.models import WorkspaceCredential
from tasks.clusters.gateways.kubernetes import kinds
from tasks.tenancy import manifests, reconcile
from tasks.tenancy.members import Door, put_members
from tests.support.identity import Person, data_of, error_of, make_person
from tests.support.kubernetes import ApiServer
from tests.support.places import Yard, make_cluster
from tests.tenancy.places.test_drift import look, repairs
from tests.tenancy.places.test_entering import join_workspace
from tests.tenancy.places.test_projects import hard_of

pytestmark = pytest.mark.slow


@pytest.fixture
def bob(app: Flask, database: Database) -> Person:
    """Somebody who comes and goes."""
    return make_person(app, database, "bob")


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something between what a look reads of the database and what it reads of the cluster, once."""
    see = reconcile.see

    def at_the_next_look(act: Callable[[], object]) -> None:
        def act_then_see(*given: Any) -> Any:
            monkeypatch.setattr(reconcile, "see", see)
            act()
            return see(*given)

        monkeypatch.setattr(reconcile, "see", act_then_see)

    return at_the_next_look


def do(yard: Yard, method: str, path: str, body: Any = None) -> None:
    data_of(yard.ask(method, path, body), 202)
    yard.work()


def account_of(yard: Yard, found: Any, person: Person) -> Any:
    return yard.cluster.get(kinds.SERVICE_ACCOUNT, f"member-{person.user.id.hex}", f"{found['namespace']}-access")


def test_one_cluster_registered_twice_loses_nothing_of_the_other_registration(app: Flask, yard: Yard) -> None:
    found = yard.placed()
    again = make_cluster(app, yard.database, yard.alice, yard.access, "again")
    yard.placed("Other", cluster_id=str(again))
    assert look(yard)["removed"] == 0
    yard.cluster_id = again
    assert look(yard)["removed"] == 0
    assert yard.has(kinds.NAMESPACE, found["namespace"])


def test_a_workspace_that_is_resumed_while_it_is_looked_at_is_not_frozen_again(yard: Yard, meanwhile: Any) -> None:
    found = yard.placed()
    path = f"/workspaces/{found['id']}"
    do(yard, "POST", f"{path}/suspend")
    meanwhile(lambda: do(yard, "POST", f"{path}/resume"))
    assert look(yard)["repaired"] == 0
    assert not yard.has(kinds.RESOURCE_QUOTA, manifests.SUSPENDED, found["namespace"])


def test_a_plan_that_is_changed_while_it_is_looked_at_is_not_changed_back(yard: Yard, meanwhile: Any) -> None:
    found = yard.placed()
    meanwhile(lambda: do(yard, "PATCH", f"/workspaces/{found['id']}", {"plan": "pro"}))
    assert look(yard)["repaired"] == 0
    assert hard_of(yard, found["namespace"])["requests.cpu"] == "32"


def test_who_is_let_in_while_it_is_looked_at_stays_in(yard: Yard, bob: Person, meanwhile: Any) -> None:
    found = yard.placed()
    meanwhile(lambda: join_workspace(yard, found["id"], bob, "editor"))
    look(yard)
    assert account_of(yard, found, bob)
    assert f"member-{bob.user.id.hex}" in yard.subjects(found["namespace"], "edit")


def test_what_keeps_pods_from_beginning_is_taken_away_where_nothing_is_suspended(yard: Yard) -> None:
    found = yard.placed()
    stray = {
        "metadata": {"name": manifests.SUSPENDED, "namespace": found["namespace"]},
        "spec": {"hard": {"pods": "0"}},
    }
    stray["metadata"]["labels"] = yard.cluster.get(kinds.NAMESPACE, found["namespace"])["metadata"]["labels"]  # type: ignore[index]
    yard.cluster.create(kinds.RESOURCE_QUOTA, stray)
    assert look(yard)["repaired"] == 1
    assert [one["what"] for one in repairs(yard, found["id"])] == ["unwanted"]
    assert look(yard)["repaired"] == 0


def test_labels_that_were_taken_off_a_namespace_are_put_back(yard: Yard) -> None:
    found = yard.placed()
    label = "pod-security.kubernetes.io/enforce"
    yard.cluster.patch(kinds.NAMESPACE, found["namespace"], change={"metadata": {"labels": {label: "privileged"}}})
    assert look(yard)["repaired"] == 1
    (repair,) = repairs(yard, found["id"])
    assert (repair["kind"], repair["fields"]) == ("Namespace", [f"metadata.labels.{label}"])
    assert yard.cluster.get(kinds.NAMESPACE, found["namespace"])["metadata"]["labels"][label] == "baseline"
    assert look(yard)["repaired"] == 0


def test_what_the_cluster_refuses_to_have_placed_again_is_not_asked_for_each_minute(yard: Yard) -> None:
    found = yard.placed()
    mark = {"tenancy.headrace/workspace": "somebody-elses"}
    yard.cluster.patch(kinds.NAMESPACE, found["namespace"], change={"metadata": {"labels": mark}})
    yard.cluster.patch(
        kinds.NAMESPACE, found["namespace"], change={"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
    )
    assert [look(yard)["placed_again"] for _ in range(3)] == [1, 0, 0]
    with yard.database.transaction() as session:
        session.execute(update(Provisioning).values(finished_at=Provisioning.finished_at - sql_seconds(3700)))
    assert look(yard)["placed_again"] == 1
    assert yard.workspace(found["id"])["provisioning"]["error"]["code"] == "NAMESPACE_NOT_OURS"


def test_who_writes_what_was_read_before_writes_again_what_is_true_since(yard: Yard, bob: Person) -> None:
    found = yard.placed()
    join_workspace(yard, found["id"], bob, "admin")

    def read() -> Any:
        with yard.database.transaction() as session:
            return want_workspace(session, session.get_one(Workspace, UUID(found["id"])))

    before = read()
    data_of(yard.ask("PUT", f"/workspaces/{found['id']}/members/{bob.user.id}/role", {"role": "viewer"}))
    seen = iter([before])
    assert put_members(Door(yard.cluster), lambda: next(seen, None) or read()) == 2
    assert yard.subjects(found["namespace"], "view") == [f"member-{bob.user.id.hex}"]
    assert f"member-{bob.user.id.hex}" not in yard.subjects(found["namespace"], "admin")


def test_who_leaves_is_shut_out_while_a_tenant_holds_an_operation_up(
    yard: Yard, bob: Person, server: ApiServer
) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front")
    join_workspace(yard, found["id"], bob, "editor")
    held = {"metadata": {"name": "held", "namespace": project["namespace"], "finalizers": ["example.com/wait"]}}
    yard.cluster.create(kinds.CONFIG_MAP, held)
    data_of(yard.ask("DELETE", f"/workspaces/{found['id']}/projects/{project['id']}"), 202)
    assert yard.ask("DELETE", f"/workspaces/{found['id']}/members/{bob.user.id}").status_code == 204
    yard.dispatch()
    with pytest.raises(AssertionError, match="does not come to an end"):
        yard.work(3)
    assert not yard.has(kinds.SERVICE_ACCOUNT, f"member-{bob.user.id.hex}", f"{found['namespace']}-access")
    yard.cluster.patch(kinds.CONFIG_MAP, "held", project["namespace"], change={"metadata": {"finalizers": None}})
    yard.work()
    assert yard.subjects(found["namespace"], "edit") == []


def test_who_leaves_a_workspace_that_could_not_be_deleted_is_shut_out_too(yard: Yard, bob: Person) -> None:
    found = yard.placed()
    join_workspace(yard, found["id"], bob, "editor")
    with yard.database.transaction() as session:
        session.execute(update(Workspace).values(status="failed"))
    assert yard.ask("DELETE", f"/workspaces/{found['id']}/members/{bob.user.id}").status_code == 204
    yard.dispatch()
    yard.work()
    assert not yard.has(kinds.SERVICE_ACCOUNT, f"member-{bob.user.id.hex}", f"{found['namespace']}-access")


def test_a_retry_takes_nothing_that_others_were_given_since(yard: Yard, server: ApiServer) -> None:
    found = yard.placed()
    first = yard.project(found["id"], "first", resource_quota={"cpu": "2"})
    path = f"/workspaces/{found['id']}/projects"
    told = data_of(yard.ask("PATCH", f"{path}/{first['id']}", {"resource_quota": {"cpu": "6"}}), 202)
    data_of(yard.ask("POST", f"/jobs/{told['job_id']}/cancel"), 202)
    yard.work()
    yard.project(found["id"], "second", resource_quota={"cpu": "6"})
    error = error_of(yard.ask("POST", f"/jobs/{told['job_id']}/retry"), 422)
    assert (error["code"], error["errors"][0]["field"]) == ("QUOTA_EXCEEDED", "resource_quota.cpu")
    assert hard_of(yard, first["namespace"])["requests.cpu"] == "2"


def test_a_change_between_namespaces_never_has_more_than_the_plan_together(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = yard.placed()
    project = yard.project(found["id"], "front", resource_quota={"cpu": "6", "memory": "2Gi"})
    spaces = (found["namespace"], project["namespace"])
    most: dict[str, int] = {"requests.cpu": 0, "pods": 0}
    replace = type(yard.cluster).apply

    def watched(cluster: Any, kind: Any, body: Any, **how: Any) -> Any:
        done = replace(cluster, kind, body, **how)
        for name in most:
            most[name] = max(most[name], sum(int(hard_of(yard, space)[name]) for space in spaces))
        return done

    monkeypatch.setattr(type(yard.cluster), "apply", watched)
    path = f"/workspaces/{found['id']}/projects/{project['id']}"
    do(yard, "PATCH", path, {"resource_quota": {"cpu": "1", "pods": 60}})
    assert [hard_of(yard, space)["requests.cpu"] for space in spaces] == ["7", "1"]
    assert most == {"requests.cpu": 8, "pods": 100}


def test_a_cluster_that_is_opened_otherwise_makes_kubeconfigs_be_fetched_anew(app: Flask, yard: Yard) -> None:
    found = yard.placed()
    with yard.database.transaction() as session:
        moment = session.execute(select(func.now())).scalar_one()
        about = {"workspace_id": UUID(found["id"]), "user_id": yard.alice.user.id}
        session.add(WorkspaceCredential(**about, role="admin", access=b"old", expires_at=moment))
    app.extensions["headrace"].allow_loopback_clusters = True
    path = f"/clusters/{yard.cluster_id}"
    changed = {"server": yard.access.server, "ca": yard.access.ca, "token": yard.access.token}
    assert yard.ask("PATCH", path, changed).status_code == 200
    with yard.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(WorkspaceCredential)) == 0
