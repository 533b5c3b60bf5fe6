"""Workspaces that are virtual clusters: made on a host, entered by their members, put to sleep, and refused where they
cannot be. Their control plane is a stand-in: no image of one runs here."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

import pytest
import yaml
from flask import Flask

from app.clusters import Access
from app.kernel.db import Database
from app.tenancy.models import VirtualCluster
from tasks.clusters.gateways.kubernetes import AccessDenied, NotAuthenticated, RestCluster, kinds
from tasks.tenancy.control_plane import INGRESS, INGRESS_CLASS
from tests.clusters.contract.world import config_map, pod
from tests.support.identity import Person, data_of, error_of, make_person
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes.virtual import ControlPlaneStandIn
from tests.support.places import LOOPBACK, Yard
from tests.tenancy.places.test_entering import join_workspace
from tests.tenancy.places.test_life import do


def phases_of(found: Any) -> dict[str, str]:
    return {phase["name"]: phase["status"] for phase in found["provisioning"]["phases"]}


def enter(yard: Yard, found: Any, person: Person | None = None) -> RestCluster:
    path = f"/workspaces/{found['id']}/kubeconfig"
    if yard.ask("GET", path, person=person).status_code == 503:
        yard.work()
    told = yaml.safe_load(yard.ask("GET", path, person=person).get_data(as_text=True))
    (cluster,), (user,) = told["clusters"], told["users"]
    ca = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
    access = Access(cluster["cluster"]["server"], ca=ca, token=user["user"]["token"])
    return RestCluster(access, rules=LOOPBACK)


def test_a_virtual_cluster_is_made_within_one_namespace_of_its_host(
    offering: Yard, virtual: ApiServer, stand_in: ControlPlaneStandIn
) -> None:
    found = offering.placed(isolation="vcluster")
    assert (found["isolation"], found["vcluster"]) == ("vcluster", {"server": virtual.url, "version": "v1.31.0"})
    assert set(phases_of(found).values()) == {"done"}
    assert {"control_plane", "kubeconfig", "virtual_members", "virtual_verify"} <= set(phases_of(found))
    space = found["namespace"]
    assert offering.has(kinds.STATEFUL_SET, "vcluster", space)
    assert offering.has(INGRESS, "vcluster", space)
    role = offering.cluster.get(kinds.ROLE, "vc-vcluster", space)
    assert {group for rule in role["rules"] for group in rule["apiGroups"]} == {"", "apps"}
    for one in ("admin", "edit", "view"):
        assert offering.subjects(space, one) == []
    with offering.database.transaction() as session:
        kept = session.get_one(VirtualCluster, UUID(found["id"]))
        assert kept.server == virtual.url


def test_what_is_done_in_it_is_not_on_its_host(
    offering: Yard, stand_in: ControlPlaneStandIn, virtual: ApiServer
) -> None:
    found = offering.placed(isolation="vcluster")
    inside = enter(offering, found)
    inside.create(kinds.NAMESPACE, {"metadata": {"name": "shop"}})
    virtual.controllers.settle()
    inside.create(kinds.CONFIG_MAP, config_map("shop"))
    assert not offering.has(kinds.NAMESPACE, "shop")
    inside.close()


def test_members_have_their_roles_in_all_of_it_until_they_leave(
    offering: Yard, stand_in: ControlPlaneStandIn, app: Flask, database: Database
) -> None:
    bob = make_person(app, database, "bob")
    found = offering.placed(isolation="vcluster")
    join_workspace(offering, found["id"], bob, "viewer")
    inside = enter(offering, found, bob)
    assert inside.list_page(kinds.CONFIG_MAP, "default")
    with pytest.raises(AccessDenied):
        inside.create(kinds.CONFIG_MAP, config_map("default"))
    assert offering.ask("DELETE", f"/workspaces/{found['id']}/members/{bob.user.id}").status_code == 204
    offering.dispatch()
    offering.work()
    with pytest.raises(NotAuthenticated):
        inside.list_page(kinds.CONFIG_MAP, "default")
    inside.close()


def test_it_sleeps_without_a_pod_and_wakes_with_its_members(
    offering: Yard, stand_in: ControlPlaneStandIn, server: ApiServer, app: Flask, database: Database
) -> None:
    found = offering.placed(isolation="vcluster")
    small = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "10m", "memory": "16Mi"}}
    offering.cluster.create(kinds.POD, pod(found["namespace"], "of-the-virtual-cluster", resources=small))
    server.controllers.settle()
    assert do(offering, "POST", f"/workspaces/{found['id']}/suspend").status == "succeeded"
    assert offering.cluster.list_page(kinds.POD, found["namespace"]).items == ()
    bob = make_person(app, database, "bob")
    join_workspace(offering, found["id"], bob, "viewer")
    assert do(offering, "POST", f"/workspaces/{found['id']}/resume").status == "succeeded"
    inside = enter(offering, found, bob)
    assert inside.list_page(kinds.CONFIG_MAP, "default")
    inside.close()


def test_a_deleted_one_leaves_nothing_on_its_host(offering: Yard, stand_in: ControlPlaneStandIn) -> None:
    found = offering.placed(isolation="vcluster")
    assert do(offering, "DELETE", f"/workspaces/{found['id']}").status == "succeeded"
    assert offering.namespaces() == []


@pytest.mark.parametrize("lack", ["version", "ingress class", "rights"])
def test_a_host_that_cannot_hold_one_says_what_is_missing(
    offering: Yard, server: ApiServer, lack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lack == "version":
        monkeypatch.setattr(server.api, "version", "v1.20.2")
    elif lack == "ingress class":
        offering.cluster.delete(INGRESS_CLASS, "nginx")
    else:
        monkeypatch.setattr(RestCluster, "can_i", lambda *_, **__: False)
    made = offering.place(isolation="vcluster")
    offering.work()
    found = offering.workspace(made["id"])
    assert (found["status"], found["provisioning"]["error"]["code"]) == ("failed", "HOST_UNFIT")
    assert {"version": "v1.20.2", "ingress class": "nginx", "rights": "may not make"}[lack] in found["status_reason"]
    assert offering.namespaces() == []


def test_what_a_control_plane_says_opens_it_is_checked(offering: Yard, stand_in: ControlPlaneStandIn) -> None:
    stand_in.parts["client-key"] = "nonsense"
    made = offering.place(isolation="vcluster")
    offering.work()
    found = offering.workspace(made["id"])
    assert (found["status"], found["provisioning"]["error"]["code"]) == ("failed", "CONTROL_PLANE_REFUSED")
    assert offering.namespaces() == []


def test_an_installation_that_offers_none_says_so(yard: Yard) -> None:
    body = {"name": "x", "isolation": "vcluster", "cluster_id": str(yard.cluster_id)}
    body["organization_id"] = str(yard.alice.organization_id)
    error = error_of(yard.ask("POST", "/workspaces", body), 422)
    assert (error["errors"][0]["field"], "VCLUSTER_ADDRESS" in error["errors"][0]["message"]) == ("isolation", True)


def test_its_namespaces_are_made_inside_not_as_projects(offering: Yard, stand_in: ControlPlaneStandIn) -> None:
    found = offering.placed(isolation="vcluster")
    error = error_of(offering.ask("POST", f"/workspaces/{found['id']}/projects", {"name": "p"}), 409)
    assert error["code"] == "WORKSPACE_NOT_READY"
    assert data_of(offering.ask("GET", f"/workspaces/{found['id']}/projects")) == []
