"""Facts of clusters: what is told of what is wrong, and that nothing is told of what is well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from app.monitoring import MICRO, Points
from app.sre.facts import (
    KINDS,
    Fact,
    ProcessorUse,
    Thing,
    View,
    VolumeUse,
    find_facts,
    find_full_volumes,
    find_throttling,
)
from tests.support import accidents as go
from tests.support.problems import START
from tests.support.scene import HASH, PLURALS, Scene

EVERYTHING = {*PLURALS.values(), "health", "usage"}
WEB = Thing("Deployment", "shop", "web")


def at(scene: Scene, minute: float) -> Scene:
    scene.now = scene.start + timedelta(minutes=minute)
    return scene


def facts_of(scene: Scene, minute: float | None = None, seen: set[str] = EVERYTHING) -> list[Fact]:
    now = scene.now if minute is None else scene.start + timedelta(minutes=minute)
    objects = {kind: one.items for kind, one in scene.observe().items()}
    return find_facts(View(objects, now), seen)


@pytest.fixture
def scene() -> Scene:
    return Scene(START)


@pytest.mark.parametrize("minute", [0.0, 0.5, 0.9, 2.0, 30.0])
def test_of_a_cluster_that_lives_nothing_is_told(scene: Scene, minute: float) -> None:
    if minute > 1:
        scene.settle()
    assert facts_of(scene, minute) == []


Spoil = Callable[[Scene], Any]
EACH: dict[str, tuple[Spoil, str]] = {
    "NodeNotReady": (lambda scene: go.lose_node(scene, "n2"), "Node n2"),
    "NodePressure": (lambda scene: go.press(scene, "n1", "Memory"), "Node n1"),
    "ImagePullBackOff": (
        lambda scene: go.wait(scene, "shop", "web", "ImagePullBackOff", "not found"),
        "Deployment shop/web",
    ),
    "CannotStart": (
        lambda scene: go.wait(scene, "shop", "web", "CreateContainerConfigError", "no secret"),
        "Deployment shop/web",
    ),
    "PodPending": (
        lambda scene: go.unplace(scene, "shop", "web", 2, "0/4 nodes are available: 4 Insufficient cpu."),
        "Deployment shop/web",
    ),
    "OOMKilled": (lambda scene: go.run_out_of_memory(scene, "shop", "web"), "Deployment shop/web"),
    "CrashLoopBackOff": (lambda scene: go.crash(scene, "shop", "db"), "StatefulSet shop/db"),
    "RolloutStuck": (lambda scene: go.stick(scene, "shop", "api"), "Deployment shop/api"),
    "HPAAtLimit": (
        lambda scene: scene.scaler("shop", "web", current=10, most=10, limited_since=0.0),
        "Deployment shop/web",
    ),
    "FailedJob": (lambda scene: scene.job("nightly-101", 1, "Failed"), "CronJob ops/nightly"),
    "QuotaNearlyUsed": (lambda scene: go.refuse(scene, "ops", "worker", "team"), "ResourceQuota ops/team"),
    "CertificateNearExpiry": (
        lambda scene: scene.certificate("shop", "web-tls", -80 * 1440, 3 * 1440, "False", "429"),
        "Certificate shop/web-tls",
    ),
}


@pytest.mark.parametrize("kind", EACH)
def test_each_kind_is_told_once_of_what_it_is_about(scene: Scene, kind: str) -> None:
    spoil, about = EACH[kind]
    scene.settle()
    spoil(at(scene, 1))
    found = facts_of(scene, 8)
    assert [(one.kind, str(one.about)) for one in found] == [(kind, about)]
    assert found[0].message
    assert found[0].evidence
    assert found[0].since is None or found[0].since <= scene.start + timedelta(minutes=8)
    assert facts_of(scene, 8, EVERYTHING - {KINDS[kind].needs}) == []


def test_what_has_just_begun_is_waited_for(scene: Scene) -> None:
    scene.settle()
    at(scene, 5)
    go.unplace(scene, "shop", "web", 1, "0/4 nodes are available: 4 Insufficient cpu.")
    go.wait(scene, "shop", "api", "ErrImagePull", "i/o timeout")
    go.lose_node(scene, "n3")
    assert facts_of(scene, 5.3) == []
    assert {one.kind for one in facts_of(scene, 7)} == {"PodPending", "ImagePullBackOff", "NodeNotReady"}


def test_pods_of_one_workload_are_one_fact_that_names_why_and_where(scene: Scene) -> None:
    scene.settle()
    go.unplace(at(scene, 1), "shop", "web", 5, "0/4 nodes are available: 1 Insufficient cpu, 3 Insufficient memory.")
    (found,) = facts_of(scene, 5)
    assert found.message == "5 pods of Deployment shop/web wait for a node: no node has enough processors left"
    assert (found.evidence["count"], found.trait) == (5, "cpu")
    assert Thing("Pod", "shop", f"web-{HASH}-new0") in found.touches


def test_a_job_that_went_well_after_one_that_failed_is_well_again(scene: Scene) -> None:
    scene.settle()
    scene.job("nightly-101", 1, "Failed")
    scene.job("nightly-102", 4, "Complete")
    assert facts_of(scene, 8) == []


@pytest.mark.parametrize(("left", "severity"), [(13, "warning"), (1, "critical"), (-1, "critical"), (16, None)])
def test_a_certificate_is_told_two_weeks_before_its_end(scene: Scene, left: int, severity: str | None) -> None:
    scene.settle()
    scene.certificate("shop", "web-tls", -90 * 1440, left * 1440)
    assert [one.severity for one in facts_of(scene, 0)] == ([severity] if severity else [])


def test_certificates_that_live_for_an_hour_are_told_in_its_last_fifth(scene: Scene) -> None:
    scene.settle()
    scene.certificate("shop", "web-tls", 0, 60)
    assert facts_of(scene, 40) == []
    assert [one.severity for one in facts_of(scene, 50)] == ["warning"]


def test_a_node_that_is_serviced_is_no_emergency(scene: Scene) -> None:
    scene.settle()
    scene.get("Node", "", "n1")["spec"] = {"unschedulable": True}
    go.lose_node(at(scene, 1), "n1")
    assert [one.severity for one in facts_of(scene, 5)] == ["warning"]


def points(values: Any, step: float = 300.0) -> Points:
    numbers = np.asarray(values, float)
    times = (START.timestamp() - step * np.arange(len(numbers))[::-1]) * MICRO
    return Points(times.astype(np.int64), numbers)


def full(values: Any) -> list[Fact]:
    return list(find_full_volumes([VolumeUse("shop", "data", points(values), 100.0)]))


def test_a_volume_is_told_when_it_is_nearly_full_or_will_be_within_a_day() -> None:
    assert full([50.0] * 72) == []
    assert full(np.linspace(20, 70, 72)) == []
    assert full([85.0] * 72) == []
    (filling,) = full(np.linspace(70, 85, 72))
    assert filling.evidence["seconds_left"] == pytest.approx(6 * 3600, rel=0.05)
    assert filling.severity == "warning"
    assert full([96.0] * 72)[0].severity == "warning"
    assert full(np.linspace(80, 97, 72))[0].severity == "critical"
    assert full([85.0, 86.0]) == []


def test_a_jump_is_no_slope() -> None:
    assert full([60.0] * 60 + [90.0] * 12) == []


def test_processors_are_told_when_a_quarter_of_their_time_is_held_back() -> None:
    def use(share: float, periods: float = 9000.0) -> list[Fact]:
        counted = np.linspace(0, periods, 16)
        return list(find_throttling([ProcessorUse(WEB, "main", points(counted, 60), points(counted * share, 60))]))

    assert use(0.2) == []
    assert use(0.9, periods=100.0) == []
    assert [one.severity for one in use(0.3)] == ["info"]
    assert [one.severity for one in use(0.6)] == ["warning"]


def test_facts_of_objects_of_any_form_are_none_or_some_but_no_failure() -> None:
    scene = Scene(datetime.fromisoformat("2026-01-05T12:00:00+00:00"))
    for body in scene.objects.values():
        for part in ("status", "spec"):
            body[part] = {"conditions": [{"type": "Ready"}, {"type": "Failed", "status": "True"}], "hard": {"a": "x"}}
    assert isinstance(facts_of(scene), list)
