"""Where pods are made and by which rules, and the words that their parts agree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes import Limits, RestCluster
from tasks.pipelines.gateways.containers.base import Check, Site

WORKSPACE: Final = PurePosixPath("/workspace")
CONTROL: Final = "/headrace/control"
OWN: Final = "/headrace/own"
"""Where a step has its home and its folder for temporary files."""
HELPER: Final = "workspace"
"""The container that brings the workspace and takes it back."""

# Of what has no limit in the definition and none in the settings, a namespace's own default would be half of one.
DEFAULT_CPUS: Final = 1.0


@dataclass(frozen=True, slots=True)
class PodRules:
    """What an installation says of its pods. `helper_image` needs `sh`, `tar`, `head` and `find`; `node_selector` are
    the labels a node must have; `start_seconds` is how long a pod may take until all of its containers run."""

    addresses: AddressRules
    helper_image: str
    start_seconds: float
    step_uid: int
    node_selector: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pod:
    """A stage's pod, on its cluster."""

    site: Site
    namespace: str
    name: str
    rules: PodRules

    def connect(self, check: Check = lambda: None) -> RestCluster:
        """Return the cluster for one thread."""
        return connect(self.site, self.rules, check)


def connect(site: Site, rules: PodRules, check: Check = lambda: None, *, limits: Limits | None = None) -> RestCluster:
    """Return a cluster for one thread."""
    return RestCluster(site.access, rules=rules.addresses, limits=limits, keep=check)
