"""What somebody else changes of a control plane on its host is found and set right; what its host wrote, or an older
version of ours, is left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tasks.clusters.gateways.kubernetes import Object, Patch, kinds
from tasks.tenancy.control_plane import INGRESS
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes.virtual import ControlPlaneStandIn
from tests.support.places import Yard
from tests.tenancy.places.test_drift import look, repairs
from tests.tenancy.places.test_life import do

QUIET = {"workspaces": 1, "repaired": 0, "placed_again": 0, "removed": 0}


def told_of(yard: Yard, found: Any) -> dict[tuple[str, str], tuple[str, list[str]]]:
    return {(one["kind"], one["what"]): (one["name"], one["managers"]) for one in repairs(yard, found["id"])}


def test_what_its_host_fills_in_is_no_drift(offering: Yard, stand_in: ControlPlaneStandIn) -> None:
    offering.placed(isolation="vcluster")
    assert look(offering) == QUIET


def test_what_others_take_away_or_change_of_a_control_plane_is_set_right(
    offering: Yard, stand_in: ControlPlaneStandIn
) -> None:
    found = offering.placed(isolation="vcluster")
    space = found["namespace"]
    offering.cluster.delete(kinds.SERVICE, "vcluster", space)
    offering.cluster.delete(INGRESS, "vcluster", space)
    scaled = {"metadata": {"name": "vcluster", "namespace": space}, "spec": {"replicas": 0}}
    offering.cluster.apply(kinds.STATEFUL_SET, scaled, manager="somebody", force=True)
    wide = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    role = {"metadata": {"name": "vc-vcluster", "namespace": space}, "rules": [wide]}
    offering.cluster.apply(kinds.ROLE, role, manager="mallory", force=True)
    assert look(offering)["repaired"] == 4
    assert told_of(offering, found) == {
        ("Service", "missing"): ("vcluster", []),
        ("Ingress", "missing"): ("vcluster", []),
        ("StatefulSet", "changed"): ("vcluster", ["somebody"]),
        ("Role", "changed"): ("vc-vcluster", ["mallory"]),
    }
    assert offering.cluster.get(kinds.STATEFUL_SET, "vcluster", space)["spec"]["replicas"] == 1
    assert wide not in offering.cluster.get(kinds.ROLE, "vc-vcluster", space)["rules"]
    assert look(offering) == QUIET


def test_whoever_takes_our_name_hides_no_rights_and_no_hole(offering: Yard, stand_in: ControlPlaneStandIn) -> None:
    found = offering.placed(isolation="vcluster")
    space, cluster = found["namespace"], offering.cluster
    wide = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    meta = {"name": "vc-vcluster", "namespace": space}
    stranger = {"kind": "ServiceAccount", "name": "stranger", "namespace": space}
    bound = cluster.get(kinds.ROLE_BINDING, "vc-vcluster", space)
    nobody = [{"key": "never", "operator": "Exists"}]
    changes = [
        (kinds.ROLE, {"metadata": meta, "rules": [wide]}),
        (kinds.ROLE_BINDING, {"metadata": meta, "roleRef": bound["roleRef"], "subjects": [stranger]}),
    ]
    for kind, change in changes:
        cluster.apply(kind, change, manager="headrace", force=True)
    selected = {"spec": {"podSelector": {"matchExpressions": nobody}}}
    cluster.patch(kinds.NETWORK_POLICY, "headrace-control-plane", space, change=selected)
    open_pods = {"hostNetwork": True, "containers": [{"name": "syncer", "securityContext": {"privileged": True}}]}
    change = {"spec": {"template": {"spec": open_pods}}}
    cluster.patch(kinds.STATEFUL_SET, "vcluster", space, change=change, form=Patch.STRATEGIC)
    taken = as_if_we_had(cluster.get(kinds.STATEFUL_SET, "vcluster", space))
    cluster.replace(kinds.STATEFUL_SET, taken)
    assert look(offering)["repaired"] == 4
    told = {one["kind"]: one["fields"] for one in repairs(offering, found["id"])}
    assert told["StatefulSet"] == [
        "spec.template.spec.containers[syncer].securityContext.privileged",
        "spec.template.spec.hostNetwork",
    ]
    assert wide not in cluster.get(kinds.ROLE, "vc-vcluster", space)["rules"]
    assert cluster.get(kinds.ROLE_BINDING, "vc-vcluster", space)["subjects"] == bound["subjects"]
    policy = cluster.get(kinds.NETWORK_POLICY, "headrace-control-plane", space)
    assert "matchExpressions" not in policy["spec"]["podSelector"]
    pods = cluster.get(kinds.STATEFUL_SET, "vcluster", space)["spec"]["template"]["spec"]
    assert not pods.get("hostNetwork")
    assert "privileged" not in pods["containers"][0]["securityContext"]
    assert look(offering) == QUIET


def as_if_we_had(body: Object) -> Object:
    """Return an object of which each field is said to be written by us."""
    meta = body["metadata"]
    said = [{**one, "manager": "headrace"} for one in meta.get("managedFields") or []]
    return {**body, "metadata": {**meta, "managedFields": said}}


def test_another_image_by_the_settings_waits_for_an_upgrade(offering: Yard, stand_in: ControlPlaneStandIn) -> None:
    found = offering.placed(isolation="vcluster")
    offering.tools = replace(
        offering.tools, virtual=replace(offering.tools.virtual, image="registry.example/vcluster:2")
    )
    assert look(offering) == QUIET
    assert do(offering, "POST", f"/workspaces/{found['id']}/upgrade").status == "succeeded"
    stateful = offering.cluster.get(kinds.STATEFUL_SET, "vcluster", found["namespace"])
    assert stateful["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/vcluster:2"


def test_a_control_plane_that_sleeps_is_not_woken(
    offering: Yard, stand_in: ControlPlaneStandIn, server: ApiServer
) -> None:
    found = offering.placed(isolation="vcluster")
    assert do(offering, "POST", f"/workspaces/{found['id']}/suspend").status == "succeeded"
    assert look(offering) == QUIET
    assert offering.cluster.get(kinds.STATEFUL_SET, "vcluster", found["namespace"])["spec"]["replicas"] == 0
    assert do(offering, "POST", f"/workspaces/{found['id']}/resume").status == "succeeded"
    assert look(offering) == QUIET
