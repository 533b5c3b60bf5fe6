"""What a provider of clusters is to the rest of the platform: it is asked again and again until what is there is what
is wanted. No call waits for what takes minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from app.clusters import Access
from app.kernel.errors import Permanent, Transient


@dataclass(frozen=True, slots=True)
class Order:
    """A cluster as it is wanted. `key` names it at its provider, for good: no other cluster has it."""

    cluster_id: UUID
    key: str
    parameters: Mapping[str, Any]
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Working:
    """The provider is at it: how far, in percent, and in how many seconds to ask again."""

    percent: float
    phase: str
    message: str
    retry_after: float = 15.0


@dataclass(frozen=True, slots=True)
class Ready:
    """The cluster is as it is wanted, and this opens it."""

    access: Access


class ProviderFailed(Permanent):
    """The provider cannot make the cluster."""

    code = "PROVIDER_FAILED"


class ProviderAway(Transient):
    """The provider does not answer."""

    code = "PROVIDER_UNREACHABLE"


class Provider(Protocol):
    """Makes clusters and takes them away. Both look first, so that they may be asked any number of times, by anybody,
    after any interruption; both raise ProviderFailed, ProviderAway."""

    def ensure(self, order: Order) -> Working | Ready:
        """Do what can be done now to have the cluster as it is wanted, also one that was otherwise."""
        ...

    def remove(self, order: Order) -> Working | None:
        """Do what can be done now to have nothing of it left; None when nothing is."""
        ...
