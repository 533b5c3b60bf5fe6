"""What clusters ask of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.intents import Intent


@dataclass(frozen=True, slots=True)
class _OfCluster(Intent):
    """What concerns a cluster."""

    queue: ClassVar[str] = "clusters"

    cluster_id: UUID


@dataclass(frozen=True, slots=True)
class ConnectCluster(_OfCluster):
    """Ask a cluster that was registered for the first time."""

    kind: ClassVar[str] = "clusters.connect"


@dataclass(frozen=True, slots=True)
class CheckCluster(_OfCluster):
    """Check a cluster now, because somebody asks."""

    kind: ClassVar[str] = "clusters.check"
    priority: ClassVar[int] = 3
    max_attempts: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class RemoveCluster(_OfCluster):
    """Forget a cluster; one that its provider made is taken away first."""

    kind: ClassVar[str] = "clusters.remove"


@dataclass(frozen=True, slots=True)
class SweepClusters(Intent):
    """Check and look into all clusters that are due, for about a minute."""

    kind: ClassVar[str] = "clusters.sweep"
    queue: ClassVar[str] = "checks"
    priority: ClassVar[int] = 3
    max_attempts: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class ApplyManifests(Intent):
    """Apply manifests to a cluster."""

    kind: ClassVar[str] = "clusters.apply"
    queue: ClassVar[str] = "clusters"
    priority: ClassVar[int] = 3

    apply_id: UUID


@dataclass(frozen=True, slots=True)
class ProvisionCluster(_OfCluster):
    """Have a provider make a cluster, or change it to what is wanted now; then ask it for the first time."""

    kind: ClassVar[str] = "clusters.provision"
    cancel_seconds: ClassVar[float] = 3.0
