"""What deeds need of the outside world; workers/composition.py puts the real things in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.clusters import CheckRules
from app.kernel.addresses import AddressRules
from app.kernel.crypto import Vault
from app.kernel.presence import Listeners
from app.kernel.store import BlobStore
from app.kernel.stream import Live
from app.webhooks import Destinations, Patience

if TYPE_CHECKING:
    # The gateways live in rooms whose deeds are given these tools.
    from tasks.identity.gateways import Mailer
    from tasks.pipelines.gateways.base import Source
    from tasks.pipelines.gateways.containers import Containers
    from tasks.pipelines.gateways.sandbox import Limits, Sandbox
    from tasks.pipelines.gateways.statuses import Statuses


@dataclass(frozen=True, slots=True)
class StepDefaults:
    """What a step gets where its definition says nothing. Without an `image` it runs in none."""

    limits: Limits
    network: bool
    path: str
    artifact_bytes: int
    image: str


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """Bytes of one cache before compression, bytes that a workspace may keep, days that an unused one is kept."""

    each_bytes: int
    workspace_bytes: int
    days: int


class Workbench(Protocol):
    """What a stage is done with, by a worker as by a runner. `installation` tells its containers from another's on one
    engine."""

    @property
    def source(self) -> Source: ...

    @property
    def installation(self) -> str: ...

    @property
    def sandbox(self) -> Sandbox: ...

    @property
    def containers(self) -> Containers | None: ...

    @property
    def workspaces(self) -> Path: ...

    @property
    def steps(self) -> StepDefaults: ...

    @property
    def caches(self) -> CacheLimits: ...


@dataclass(frozen=True, slots=True)
class ClusterRules:
    """Where clusters may be, and how they are looked after."""

    addresses: AddressRules
    allow_unverified: bool
    checks: CheckRules


@dataclass(frozen=True, slots=True)
class MetricRules:
    """Days that samples, their roll-ups and the scores of scans are kept; series that an organization may have; where
    the sources may be that samples are pulled from."""

    sample_days: int
    rollup_days: int
    score_days: int
    series: int
    addresses: AddressRules


@dataclass(frozen=True, slots=True)
class VirtualRules:
    """How virtual clusters are made: where clients reach one (with `{name}`), by which ingress class, of which images.
    Without an `address` there are none."""

    address: str
    ingress_class: str
    image: str
    kubernetes_image: str


@dataclass(frozen=True, slots=True)
class WebhookRules:
    """Where webhooks may be sent, how patient the platform is, and for how many days their log is kept."""

    destinations: Destinations
    patience: Patience
    days: int


@dataclass(frozen=True, slots=True)
class Tools:
    """The outside world of a worker; a `Workbench` too."""

    vault: Vault
    live: Live
    listeners: Listeners
    log_store: BlobStore
    artifact_store: BlobStore
    source: Source
    installation: str
    sandbox: Sandbox
    containers: Containers | None
    statuses: Statuses
    workspaces: Path
    steps: StepDefaults
    caches: CacheLimits
    clusters: ClusterRules
    metrics: MetricRules
    runner_wait_seconds: float
    webhooks: WebhookRules
    history_days: int
    message_days: int
    notification_days: int
    access_token_seconds: int
    public_url: str
    mailer: Mailer
    change_days: int
    audit_days: int
    archive: BlobStore | None
    kubeconfig_seconds: int
    provisioning_days: int
    verify_image: str
    virtual: VirtualRules
