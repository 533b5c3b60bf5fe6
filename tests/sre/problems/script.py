"""Scripts of incidents: what they play on, and what each says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.scene import HASH, Scene


@dataclass
class Stage:
    """What scripts play on: a cluster, and what is seen of it from outside, by name."""

    scene: Scene
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    anomalies: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: float | None = None
    throttled: dict[str, float] = field(default_factory=dict)
    is_lost: bool = False

    def fire(self, name: str, severity: str = "warning", **labels: str) -> None:
        """Let an alert fire."""
        self.alerts[f"{name}{sorted(labels.items())}"] = {
            "name": name,
            "severity": severity,
            "labels": {"alertname": name, **labels},
            "since": self.scene.now,
        }

    def calm(self, name: str) -> None:
        """Let alerts of a name be over."""
        self.alerts = {key: one for key, one in self.alerts.items() if one["name"] != name}

    def strange(self, series: str, severity: str = "warning") -> None:
        """Let a series be unusual."""
        self.anomalies[series] = {"severity": severity, "since": self.scene.now}


Act = Callable[[Stage, Scene], Any]
Cause = tuple[str, str | None]


@dataclass(frozen=True)
class Incident:
    """A script: acts by minutes. `causes` are what came first, of each incident that it plays; what is not named may
    be about anything."""

    name: str
    causes: tuple[Cause, ...]
    acts: Mapping[float, Act]
    lasts: float = 30.0


def together(*acts: Act) -> Act:
    return lambda stage, scene: [act(stage, scene) for act in acts]


def pod_of(workload: str) -> str:
    return f"{workload}-{HASH}-aaaa0"


def noise(stage: Stage, minute: float) -> None:
    """What is seen beside each incident and belongs to none of them."""
    if minute == 3:
        stage.strange('queue_depth{namespace="ops",service="mailer"}')
        stage.fire("InfoInhibitor", "info", namespace="ops")
    if minute == 9:
        stage.scene.scaler("ops", "worker", current=10, most=10, limited_since=8.0)
    if minute == 12:
        stage.scene.scaler("ops", "worker", current=6, most=10)
    if minute == 15:
        stage.anomalies.pop('queue_depth{namespace="ops",service="mailer"}', None)
