"""Rightsizing, held against KRR's formulas worked out another way: within one percent, whatever the samples are."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

from app.clusters import Seen
from app.monitoring import Points
from app.sre.recommending import Finding, Workload, find_all, group_workloads, measure_use, renew_command
from app.sre.recommending.formulas import judge_difference, size_of
from app.sre.recommending.usage import PodUse, rates_of
from app.sre.recommending.workloads import Container
from tests.sre.recommending.samples import MIB, START, autoscaler, counter, moments, pod, points, rates, use, workload


def find(found: Workload, *uses: PodUse, kind: str = "rightsizing") -> Finding | None:
    return next((one for one in find_all(found, {"main": list(uses)}, START) if one.kind == kind), None)


def krr_cpu(used: list[np.ndarray], apart: float) -> float:
    """`rate(…[75s])` at each multiple of 75 s as Prometheus works it out where no counter is reset, then its
    percentile, then the greatest of the pods'."""
    percentiles = []
    for one in used:
        told = counter(one, apart)
        times, values = told.times / 1e6, told.values
        steps = np.arange(np.ceil(times[0] / 75), np.floor(times[-1] / 75) + 1) * 75
        first, last = np.searchsorted(times, steps - 75, "right"), np.searchsorted(times, steps, "right") - 1
        first, last = first[last > first], last[last > first]
        percentiles.append(np.quantile((values[last] - values[first]) / (times[last] - times[first]), 0.95))
    return max(percentiles)


@pytest.mark.parametrize("apart", [15.0, 30.0, 60.0])
def test_processors_are_the_greatest_95th_percentile_of_the_pods(apart: float) -> None:
    used = [rates(1.0, apart, seed, level) for seed, level in enumerate((0.2, 0.35, 0.1))]
    sizes = size_of([measure_use(f"p{n}", [counter(one, apart)]) for n, one in enumerate(used)], None)
    assert sizes.cpu == pytest.approx(krr_cpu(used, apart), rel=0.01)


def test_samples_minutes_apart_and_gauges_say_the_same() -> None:
    used = rates(4.0, 120.0, 1, 0.4)
    expected = float(np.quantile(used[:-1], 0.95))
    by_counter = size_of([measure_use("p", [counter(used, 120.0)])], None).cpu
    by_gauge = size_of([measure_use("p", [], [points(moments(4.0, 120.0), used)])], None).cpu
    assert by_counter == pytest.approx(expected, rel=0.01)
    assert by_gauge == pytest.approx(expected, rel=0.01)


def test_a_counter_that_was_reset_and_a_gap_make_no_peak() -> None:
    told = counter(np.full(2000, 0.5))
    reset = Points(told.times, np.where(np.arange(2000) < 1000, told.values, told.values - told.values[1000]))
    gap = Points(np.delete(told.times, slice(500, 900)), np.delete(told.values, slice(500, 900)))
    for one in (reset, gap):
        assert rates_of(one).max() == pytest.approx(0.5, rel=0.03)


def test_memory_is_the_most_that_any_pod_used_and_15_percent() -> None:
    sizes = size_of([use("a", memory=300 * MIB), use("b", memory=512 * MIB)], None)
    assert sizes.memory == pytest.approx(512 * MIB * 1.15, rel=0.01)


def test_who_was_killed_for_memory_gets_a_quarter_more_than_the_limit() -> None:
    ended = pod(requests={"memory": 300 * MIB}, limits={"memory": 400 * MIB})
    ended.data["ended"].append({"container": "main", "reason": "OOMKilled"})
    found = find(workload(ended), use(memory=300 * MIB))
    assert found
    assert found.evidence["recommended"]["limits"]["memory"] == pytest.approx(500 * MIB, rel=0.01)


def test_nothing_gets_less_than_10m_and_100_megabytes() -> None:
    sizes = size_of([use(cpu=0.0001, memory=1 * MIB)], None)
    assert (sizes.cpu, sizes.memory) == (0.010, pytest.approx(100e6, rel=0.01))


def test_too_little_to_go_by_sizes_nothing() -> None:
    short = use(days=2.9 / 24)
    assert size_of([short], None).cpu is None
    few = measure_use("p", [], [points(START + np.arange(99) * 300.0, np.ones(99))])
    assert size_of([few], None).cpu is None
    assert size_of([use(days=3.1 / 24)], None).cpu is not None


def test_the_patch_says_what_krr_would_and_takes_the_limit_of_processors_away() -> None:
    asks = pod(requests={"cpu": 2.0, "memory": 2048 * MIB}, limits={"cpu": 4.0, "memory": 2048 * MIB})
    found = find(workload(asks, replicas=3), use(cpu=0.2, memory=400 * MIB))
    assert found
    (container,) = found.patch["spec"]["template"]["spec"]["containers"]  # type: ignore[index]
    cpu = container["resources"]["requests"]["cpu"]
    assert container["name"] == "main"
    assert container["resources"]["limits"] == {"cpu": None, "memory": "460Mi"}
    assert container["resources"]["requests"]["memory"] == "460Mi"
    assert int(cpu.removesuffix("m")) == round(found.figures["cpu"] * 1000)
    assert found.effect["requests_change"]["memory"] == 3 * (460 - 2048) * MIB
    assert found.priority == "high"
    assert found.confidence == 0.9
    assert found.command.startswith("kubectl --namespace=shop patch deployment/web --type=strategic '--patch={")


def test_what_fits_is_left_alone_and_what_is_not_said_is_told() -> None:
    fits = pod(requests={"cpu": 0.35, "memory": 230 * MIB}, limits={"memory": 230 * MIB})
    assert find(workload(fits), use()) is None
    silent = find(workload(pod()), use())
    assert silent
    assert silent.priority == "medium"


@pytest.mark.parametrize(
    ("resource", "current", "wanted", "severity"),
    [
        ("cpu", 0.7, 0.2, "critical"),
        ("cpu", 0.45, 0.2, "warning"),
        ("cpu", 0.3, 0.2, "ok"),
        ("cpu", 0.29, 0.2, "good"),
        ("cpu", None, 0.2, "warning"),
        ("memory", 700 * MIB, 200 * MIB, "critical"),
        ("memory", 200 * MIB, 450 * MIB, "warning"),
        ("memory", 200 * MIB, 300 * MIB, "ok"),
        ("memory", 200 * MIB, 290 * MIB, "good"),
    ],
)
def test_differences_press_as_krr_has_it(resource: str, current: float | None, wanted: float, severity: str) -> None:
    assert judge_difference(resource, current, wanted) == severity


def test_what_an_autoscaler_goes_by_is_left_to_it() -> None:
    scaled = workload(pod(requests={"cpu": 4.0}), scaler=autoscaler("Free", cpu=(80, 20)))
    found = find(scaled, use())
    assert found
    assert found.figures.keys() == {"memory"}
    both = workload(pod(requests={"cpu": 4.0}), scaler=autoscaler("Free", cpu=(80, 20), memory=(80, 20)))
    assert find(both, use()) is None


def test_without_enough_measurements_a_missing_limit_is_told_with_one_to_begin_with() -> None:
    bare = find(workload(pod()), kind="missing_limits")
    assert bare
    assert (bare.patch, bare.command) == (None, "kubectl --namespace=shop top pod --containers")
    asking = find(workload(pod(requests={"memory": 256 * MIB})), kind="missing_limits")
    assert asking
    assert "512Mi" in asking.command
    measured = find(workload(pod()), use(days=0.05, memory=300 * MIB), kind="missing_limits")
    assert measured
    assert "600Mi" in measured.command
    assert find(workload(pod(limits={"memory": 256 * MIB})), kind="missing_limits") is None


def test_names_of_a_hostile_cluster_are_quoted_and_no_options() -> None:
    said = pod(owner="Deployment")
    hostile = Seen("--kubeconfig=x; reboot", "x", said.status, said.data)
    hostile.data["owner"]["name"] = "--patch-file=x; rm -rf /"
    (hostile_workload,) = group_workloads({"pods": [hostile]})
    for found in (find(hostile_workload, use()), find(hostile_workload, kind="missing_limits")):
        assert found
        words = shlex.split(found.command)
        assert words[1] == "--namespace=--kubeconfig=x; reboot"
        assert not any(one.startswith(("--kubeconfig", "--patch-file")) for one in words)
    assert shlex.split(renew_command("-n", "--all"))[-3:] == ["--namespace=-n", "--", "--all"]


def test_what_no_machine_uses_sizes_nothing() -> None:
    times = moments(1.0, 300.0)
    odd = np.tile([-1.0, 1e300, 0.5], len(times))[: len(times)]
    gauge, memory = points(times, odd), points(times, np.where(odd == 0.5, 200.0 * MIB, odd))
    sizes = size_of([measure_use("a", [], [gauge, gauge], [memory, memory])], None)
    assert (sizes.cpu, sizes.memory) == (0.5, pytest.approx(230 * MIB, rel=0.01))


def test_facts_of_a_container_are_what_its_author_said() -> None:
    said = Container("main", {"cpu": 1.0}, {}, probes=("readiness", "liveness")).facts()
    assert said == {"requests": {"cpu": 1.0}, "limits": {}, "probes": ["liveness", "readiness"]}
