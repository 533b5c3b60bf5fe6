"""What differs between an object as it has to be and as it is, and who wrote that."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.tenancy.differences import find_differences, find_foreign_changes, find_managers


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
