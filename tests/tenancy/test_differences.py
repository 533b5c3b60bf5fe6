"""What differs between an object as it has to be and as it is, and who wrote that."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.tenancy.differences import find_differences, find_foreign_changes, find_managers
from tasks.tenancy.isolation import find_loosened


def policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"ours": "yes"}}, "spec": spec}


def test_more_labels_and_other_words_for_an_amount_are_no_difference() -> None:
    wanted = {"metadata": {"labels": {"a": "1"}}, "spec": {"hard": {"cpu": "1", "memory": "1Gi"}}}
    live = {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"hard": {"cpu": "1000m", "memory": "1024Mi"}}}
    assert find_differences(wanted, live) == []


@pytest.mark.parametrize(
    ("wanted", "live", "found"),
    [
        ({"hard": {"pods": "1"}}, {"hard": {"pods": "9"}}, ["spec.hard.pods"]),
        ({"hard": {"pods": "1"}}, {"hard": {"pods": "1", "cpu": "9"}}, ["spec.hard.cpu"]),
        ({"hard": {"pods": "1"}}, {}, ["spec.hard"]),
        ({"policyTypes": ["Ingress"]}, {"policyTypes": ["Ingress"], "ingress": [{}]}, ["spec.ingress"]),
        ({"policyTypes": ["Ingress"]}, {"policyTypes": ["Ingress"], "ingress": []}, []),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, {"ingress": [{"from": [{"podSelector": {}}]}]}, []),
        (
            {"ingress": [{"from": [{"podSelector": {}}]}]},
            {"ingress": [{"from": [{"podSelector": {}, "namespaceSelector": {}}]}]},
            ["spec.ingress[0].from[0].namespaceSelector"],
        ),
    ],
)
def test_what_is_said_whole_is_compared_whole(wanted: Any, live: Any, found: list[str]) -> None:
    assert find_differences(policy(**wanted), policy(**live)) == found


def test_subjects_that_nobody_has_are_none() -> None:
    wanted = {"metadata": {}, "roleRef": {"name": "view"}, "subjects": []}
    assert find_differences(wanted, {"metadata": {}, "roleRef": {"name": "view"}}) == []
    assert find_differences(wanted, {"metadata": {}, "roleRef": {"name": "admin"}}) == ["roleRef.name"]


def test_who_wrote_what_differs_is_told_without_us_and_the_cluster_itself() -> None:
    fields = [("headrace", "f:spec"), ("kubectl-edit", "f:spec"), ("other", "f:status"), ("kube-apiserver", "f:spec")]
    managed = [{"manager": manager, "fieldsV1": {part: {}}} for manager, part in fields]
    assert find_managers({"metadata": {"managedFields": managed}}, ["spec.hard.pods"]) == ["kubectl-edit"]
    assert find_managers({"metadata": {}}, ["spec"]) == []


def managed_by(manager: str, body: dict[str, Any]) -> dict[str, Any]:
    """An object whose spec somebody wrote."""
    entry = {"manager": manager, "fieldsV1": {"f:spec": {}}}
    return {**body, "metadata": {**body["metadata"], "managedFields": [entry]}}


def test_what_a_host_fills_in_or_an_older_version_of_ours_wrote_is_no_foreign_change() -> None:
    wanted = policy(replicas=1, template={"containers": [{"image": "a:2"}]})
    filled = policy(replicas=1, template={"containers": [{"image": "a:2", "pullPolicy": "Always"}]}, mode="Rolling")
    older = policy(replicas=1, template={"containers": [{"image": "a:1"}]})
    assert find_foreign_changes(wanted, managed_by("somebody", filled)) == []
    assert find_foreign_changes(wanted, managed_by("headrace", older)) == []
    assert find_foreign_changes(wanted, managed_by("somebody", older)) == ["spec.template.containers[0].image"]
    more = policy(replicas=1, template={"containers": [{"image": "a:2"}, {"image": "b"}]})
    assert find_foreign_changes(wanted, managed_by("somebody", more)) == ["spec.template.containers"]


def pods(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A template of pods with one container."""
    return policy(template={"spec": {"containers": [{"name": "main", **(container or {})}], **spec}})


@pytest.mark.parametrize(
    ("live", "path"),
    [
        (pods(hostNetwork=True), "hostNetwork"),
        (pods(hostPID=True), "hostPID"),
        (pods(serviceAccountName="admin"), "serviceAccountName"),
        (pods(volumes=[{"name": "host", "hostPath": {"path": "/"}}]), "volumes[host]"),
        (pods(initContainers=[{"name": "more"}]), "initContainers[more]"),
        (pods({"securityContext": {"privileged": True}}), "containers[main].securityContext.privileged"),
        (
            pods({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
            "containers[main].securityContext.capabilities.add",
        ),
        (pods({"ports": [{"containerPort": 1, "hostPort": 1}]}), "containers[main].ports"),
        (pods(securityContext={"seccompProfile": {"type": "Unconfined"}}), "securityContext.seccompProfile"),
    ],
)
def test_what_pods_are_granted_beyond_what_they_have_to_be_is_a_change_of_whoever(live: Any, path: str) -> None:
    assert f"spec.template.spec.{path}" in find_loosened(pods(), live)
    assert find_foreign_changes(pods(), managed_by("headrace", live))


def test_what_a_host_fills_in_or_tightens_is_nothing_that_pods_are_granted() -> None:
    tight = {"seccompProfile": {"type": "RuntimeDefault"}, "allowPrivilegeEscalation": False, "procMount": "Default"}
    volumes = [{"name": "said", "secret": {"secretName": "a"}}, {"name": "tmp", "emptyDir": {}}]
    filled = [{"name": "said", "secret": {"secretName": "a", "defaultMode": 420}}, {"name": "tmp", "emptyDir": {}}]
    live = pods({"securityContext": tight}, dnsPolicy="ClusterFirst", securityContext={}, volumes=filled)
    assert find_loosened(pods(volumes=volumes), live) == []
    assert find_loosened(policy(replicas=1), policy(template="hostile")) == []
