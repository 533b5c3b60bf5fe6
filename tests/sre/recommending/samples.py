"""What pods have used, made up, and workloads as an inventory shows them."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.clusters import Seen
from app.monitoring import Points
from app.sre.recommending import PodUse, Workload, group_workloads, measure_use
from app.sre.recommending.usage import Floats

START = 1_766_000_000.0
DAY = 86_400.0
MIB = 2**20


def points(seconds: Floats, values: Floats) -> Points:
    return Points(np.rint(seconds * 1e6).astype(np.int64), np.asarray(values, np.float64))


def moments(days: float = 14.0, apart: float = 30.0) -> Floats:
    return START + np.arange(0, days * DAY, apart)


def rates(days: float = 14.0, apart: float = 30.0, seed: int = 0, level: float = 0.2) -> Floats:
    random = np.random.default_rng(seed)
    times = np.arange(int(days * DAY / apart)) * apart
    wave = 1 + 0.5 * np.sin(2 * np.pi * times / DAY)
    return level * wave * random.normal(1.0, 0.05, len(times)).clip(0.5)


def counter(used: Floats, apart: float = 30.0) -> Points:
    """The seconds of processor time that these rates add up to."""
    values = np.concatenate(([0.0], np.cumsum(used[:-1] * apart)))
    return points(START + apart * np.arange(len(used)), values)


def use(
    pod: str = "web-1", *, cpu: float = 0.2, memory: float = 200 * MIB, days: float = 14.0, seed: int = 0
) -> PodUse:
    """What a pod of a steady service uses."""
    used = rates(days, level=cpu, seed=seed)
    most = points(moments(days), np.full(len(used), memory))
    return measure_use(pod, [counter(used)], [], [most])


def pod(name: str = "web-1", owner: str = "Deployment", **said: Any) -> Seen:
    """A pod as the inventory keeps it; `said` is of its one container."""
    part = {"name": "main", "requests": {}, "limits": {}, "ports": [], "probes": ["readiness"], "ready": True}
    part |= {"restarts": 0} | said
    data = {"owner": {"kind": owner, "name": "web"}, "parts": [part], "ended": [], "waiting": [], "restarts": 0}
    return Seen("shop", name, "Running", data | {"ready": 1, "containers": 1})


def deployment(replicas: int = 2) -> Seen:
    return Seen("shop", "web", "Available", {"replicas": replicas})


def autoscaler(status: str = "Limited", current: int = 5, **metrics: tuple[int, int]) -> Seen:
    told = [{"resource": name, "wanted": wanted, "seen": seen} for name, (wanted, seen) in metrics.items()]
    data = {"target_kind": "Deployment", "target": "web", "least": 1, "most": 5, "current": current, "metrics": told}
    return Seen("shop", "web-scaler", status, data)


def workload(*pods: Seen, replicas: int = 2, scaler: Seen | None = None) -> Workload:
    objects = {"pods": pods or (pod(),), "deployments": [deployment(replicas)]}
    scalers = [] if scaler is None else [scaler]
    (found,) = group_workloads(objects | {"horizontalpodautoscalers": scalers})
    return found
