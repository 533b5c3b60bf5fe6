"""What else should be done: probes, unused workloads, autoscalers at their limit, certificates; and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.sre.recommending import (
    Finding,
    Subject,
    agrees,
    find_all,
    find_certificate,
    find_workload,
    group_workloads,
    has_changed,
    measure_effect,
)
from app.sre.recommending.rules import find_missing_probes, find_scaling, find_unused
from tests.sre.recommending.samples import DAY, MIB, START, autoscaler, deployment, pod, use, workload

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_port_without_a_readiness_probe_is_told_with_one() -> None:
    (found,) = find_missing_probes(workload(pod(ports=[8080, 9090], probes=["liveness"])))
    (container,) = found.patch["spec"]["template"]["spec"]["containers"]  # type: ignore[index]
    assert container["readinessProbe"]["tcpSocket"] == {"port": 8080}
    assert found.facts == {"probes": ["liveness"]}


@pytest.mark.parametrize("said", [{"ports": [80], "probes": ["readiness"]}, {"ports": [], "probes": []}])
def test_what_is_probed_or_serves_nobody_is_left_alone(said: dict[str, list[object]]) -> None:
    assert list(find_missing_probes(workload(pod(**said)))) == []


def test_a_deployment_that_does_nothing_for_a_week_is_unused_and_nothing_else() -> None:
    idle = workload(pod(requests={"cpu": 0.5, "memory": 512.0 * MIB}, ports=[80], probes=[]))
    (found,) = find_all(idle, {"main": [use(cpu=0.00005, days=8)]}, after(8))
    assert (found.kind, found.patch) == ("unused_workload", {"spec": {"replicas": 0}})
    assert found.effect["requests_change"] == {"cpu": -1.0, "memory": -1024.0 * MIB}


def test_what_works_now_and_then_or_was_not_seen_for_a_week_is_not_unused() -> None:
    assert find_unused(workload(), {"main": [use(cpu=0.01, days=8)]}, after(8)) is None
    assert find_unused(workload(), {"main": [use(cpu=0.00005, days=6)]}, after(6)) is None
    assert find_unused(workload(), {"other": [use(cpu=0.00005, days=8)]}, after(8)) is None
    assert find_unused(workload(replicas=0), {"main": [use(cpu=0.00005, days=8)]}, after(8)) is None


def test_what_nobody_measures_any_more_or_of_which_a_pod_was_never_measured_is_not_unused() -> None:
    idle = {"main": [use(cpu=0.00005, days=8)]}
    assert find_unused(workload(), idle, after(8)) is not None
    assert find_unused(workload(), idle, after(13)) is None
    assert find_unused(workload(pod("web-1"), pod("web-2")), idle, after(8)) is None


def after(days: float) -> float:
    """The moment, in seconds, so many days after what is made up began."""
    return START + days * DAY


def test_an_autoscaler_at_its_limit_gets_what_its_own_formula_says() -> None:
    found = find_scaling(workload(scaler=autoscaler(cpu=(60, 90), memory=(80, 40))))
    assert found
    assert found.patch == {"spec": {"maxReplicas": 8}}
    assert (found.about, found.priority) == (Subject("HorizontalPodAutoscaler", "shop", "web-scaler"), "high")


def test_an_autoscaler_with_room_or_within_its_tolerance_is_left_alone() -> None:
    assert find_scaling(workload(scaler=autoscaler("Free", cpu=(60, 90)))) is None
    assert find_scaling(workload(scaler=autoscaler(current=4, cpu=(60, 90)))) is None
    assert find_scaling(workload(scaler=autoscaler(cpu=(60, 65)))) is None
    assert find_scaling(workload(scaler=autoscaler())) is None
    assert find_scaling(workload(scaler=autoscaler(cpu=(1, 2**52)))) is None
    assert find_scaling(workload(scaler=autoscaler(cpu=(-60, -90)))) is None


@pytest.mark.parametrize(("days", "priority"), [(22, None), (20, "low"), (6, "medium"), (0.5, "high"), (-3, "high")])
def test_a_certificate_presses_the_more_the_nearer_its_end(days: float, priority: str | None) -> None:
    found = find_certificate(Subject("Certificate", "shop", "web"), NOW + timedelta(days=days), NOW, "renew it")
    assert (found.priority if found else None) == priority


def test_pods_that_are_no_more_are_known_by_how_their_names_were_made() -> None:
    known = {one.key: one for one in group_workloads({"pods": [pod("web-x")], "deployments": [deployment()]})}
    assert find_workload(known, {}, ("shop", "web-7d9f8c6b5d-x2k4q")) == ("Deployment", "shop", "web")
    assert find_workload(known, {}, ("shop", "web-api-x2k4q")) is None
    assert find_workload(known, {}, ("bank", "web-7d9f8c6b5d-x2k4q")) is None
    assert find_workload(known, {("shop", "odd"): ("Deployment", "shop", "web")}, ("shop", "odd")) is not None


def test_what_a_cluster_consists_of_is_no_workload() -> None:
    system = pod()
    moved = type(system)("kube-system", system.name, system.status, system.data)
    assert group_workloads({"pods": [moved, pod(owner="Job")], "deployments": []}) == []


def basis(cpu: float = 0.2, request: float = 1.0) -> dict[str, object]:
    return {"facts": {"requests": {"cpu": request}}, "figures": {"cpu": cpu}}


def test_evidence_is_another_by_an_authors_word_or_by_a_quarter() -> None:
    assert not has_changed(basis(), basis(cpu=0.24))
    assert has_changed(basis(), basis(cpu=0.26))
    assert has_changed(basis(), basis(cpu=0.15))
    assert has_changed(basis(), basis(request=1.5))
    assert has_changed({}, basis())


def test_what_an_object_leaves_out_a_cluster_may_have_added() -> None:
    assert agrees({"requests": {}}, {"requests": {"cpu": 0.1}})
    assert not agrees({"requests": {"cpu": 0.2}}, {"requests": {"cpu": 0.1}})
    assert not agrees({"requests": {"cpu": 0.2}}, {"requests": {}})


def applied(found: Finding | None = None) -> dict[str, object]:
    return {"requests": {"cpu": 0.3, "memory": 230.0 * MIB}, "limits": {"memory": 230.0 * MIB}, "probes": ["readiness"]}


def test_a_change_that_stays_and_harms_nobody_is_as_expected() -> None:
    now = workload(pod(requests={"cpu": 0.3, "memory": 230.0 * MIB}, limits={"memory": 230.0 * MIB}))
    told = measure_effect(now, "main", applied(), [use(days=1)])
    assert told["verdict"] == "as_expected"
    assert told["measured"]["memory_share_of_limit"] == pytest.approx(200 / 230, abs=0.001)
    assert 0.5 < told["measured"]["cpu_share_of_request"] < 1.5


def test_a_change_is_worse_undone_or_gone() -> None:
    said = {"requests": {"cpu": 0.3, "memory": 230.0 * MIB}, "limits": {"memory": 230.0 * MIB}}
    killed = pod(**said)
    killed.data["ended"].append({"container": "main", "reason": "OOMKilled"})
    assert measure_effect(workload(killed), "main", applied(), [])["verdict"] == "worse"
    unready = pod(**said)
    unready.data["ready"] = 0
    assert measure_effect(workload(unready), "main", applied(), [])["verdict"] == "worse"
    assert measure_effect(workload(pod()), "main", applied(), [])["verdict"] == "undone"
    assert measure_effect(None, "main", applied(), [])["verdict"] == "gone"
    (idle,) = group_workloads({"pods": [], "deployments": [deployment(0)]})
    assert measure_effect(idle, "", {"replicas": 0}, [])["verdict"] == "as_expected"
