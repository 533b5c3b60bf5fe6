"""Quotas and limit ranges: what a namespace may use, and what is said when it may not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tasks.clusters.gateways.kubernetes import Object, ObjectInvalid, QuotaExceeded, RestCluster, kinds
from tests.clusters.contract.world import eventually, pod, quota, refusal, workload
from tests.support.kubernetes.quantities import read_quantity


def put_quota(cluster: RestCluster, space: str, **hard: str) -> None:
    """A quota counts from when its status says so."""
    cluster.create(kinds.RESOURCE_QUOTA, quota(space, **hard))
    eventually(lambda: cluster.get(kinds.RESOURCE_QUOTA, "q", space).get("status", {}).get("hard"))


def used(cluster: RestCluster, space: str) -> dict[str, Decimal]:
    status = cluster.get(kinds.RESOURCE_QUOTA, "q", space)["status"]
    return {name: read_quantity(value) for name, value in status["used"].items()}


def sized(cpu: str, memory: str = "1Mi") -> Object:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}


def test_a_pod_too_many_is_refused(cluster: RestCluster, space: str) -> None:
    put_quota(cluster, space, pods="1")
    cluster.create(kinds.POD, pod(space, "one"))
    with pytest.raises(QuotaExceeded, match="exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"):
        cluster.create(kinds.POD, pod(space, "two"))


def test_more_cpu_or_memory_than_there_is_is_refused(cluster: RestCluster, space: str) -> None:
    put_quota(cluster, space, requests_cpu="1", limits_memory="100Mi")
    cluster.create(kinds.POD, pod(space, "one", sized("600m", "60Mi")))
    with pytest.raises(QuotaExceeded, match=r"requests\.cpu=500m"):
        cluster.create(kinds.POD, pod(space, "two", sized("500m")))
    with pytest.raises(QuotaExceeded, match=r"limits\.memory=60Mi|limits\.memory=62914560"):
        cluster.create(kinds.POD, pod(space, "two", sized("100m", "60Mi")))
    cluster.create(kinds.POD, pod(space, "two", sized("400m", "40Mi")))


def test_a_pod_must_say_what_it_needs_where_that_is_counted(cluster: RestCluster, space: str) -> None:
    put_quota(cluster, space, requests_cpu="1")
    with pytest.raises(QuotaExceeded, match=r"must specify requests\.cpu"):
        cluster.create(kinds.POD, pod(space))


def test_a_limit_range_says_it_for_those_who_do_not(cluster: RestCluster, space: str) -> None:
    limits = [{"type": "Container", "default": {"cpu": "200m"}, "defaultRequest": {"cpu": "100m"}}]
    cluster.create(kinds.LIMIT_RANGE, {"metadata": {"name": "l", "namespace": space}, "spec": {"limits": limits}})
    put_quota(cluster, space, requests_cpu="1")
    made = eventually(lambda: _made(cluster, space))
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "200m"}, "requests": {"cpu": "100m"}}


def _made(cluster: RestCluster, space: str) -> Object | None:
    """The pod, as soon as the server has seen the limit range."""
    failed = refusal(lambda: cluster.create(kinds.POD, pod(space)))
    return None if failed else cluster.get(kinds.POD, "p", space)


def test_what_is_used_is_told(cluster: RestCluster, space: str) -> None:
    put_quota(cluster, space, pods="5", requests_cpu="2", configmaps="10")
    cluster.create(kinds.POD, pod(space, "one", sized("500m")))
    cluster.create(kinds.POD, pod(space, "two", sized("1")))
    eventually(lambda: used(cluster, space)["pods"] == 2)
    assert used(cluster, space)["requests.cpu"] == Decimal("1.5")
    cluster.delete(kinds.POD, "two", space, grace=0)
    eventually(lambda: used(cluster, space)["requests.cpu"] == Decimal("0.5"))


def test_a_quota_below_zero_is_refused(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectInvalid) as caught:
        cluster.create(kinds.RESOURCE_QUOTA, quota(space, pods="-1"))
    assert any("spec.hard" in cause.field for cause in caught.value.causes)


def test_a_quota_that_is_no_quantity_is_refused(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectInvalid):
        cluster.create(kinds.RESOURCE_QUOTA, quota(space, pods="many"))


def test_a_deployment_says_that_its_pods_are_refused(cluster: RestCluster, space: str) -> None:
    put_quota(cluster, space, pods="1")
    cluster.create(kinds.DEPLOYMENT, workload("Deployment", space, replicas=2))
    failure = eventually(lambda: _failure(cluster, space))
    assert failure["reason"] == "FailedCreate"
    assert "exceeded quota" in failure["message"]


def _failure(cluster: RestCluster, space: str) -> Object | None:
    status = cluster.get(kinds.DEPLOYMENT, "w", space).get("status", {})
    return next((one for one in status.get("conditions", []) if one["type"] == "ReplicaFailure"), None)
